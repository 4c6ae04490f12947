"""A provider of OpenID Connect that is not ours: npm's `oidc-provider`, with its own pages to sign in and consent."""

import asyncio
import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sandbox.temporal_tool import default_cache

HERE = Path(__file__).parent
FETCH_SECONDS = 300
START_SECONDS = 60
CLIENT_ID, CLIENT_SECRET = "countersign", "a secret: with % and +, to be encoded"


@asynccontextmanager
async def provider(port: int, callback: str) -> AsyncIterator[str]:
    """Run the provider, whose one client is redirected to `callback`; yields its address."""
    if not shutil.which("node"):
        pytest.skip("Node.js is not installed (Debian's package is npm)")
    folder = await asyncio.to_thread(fetched)
    process = await asyncio.create_subprocess_exec(
        *("node", folder / "provider.mjs", str(port), CLIENT_ID, CLIENT_SECRET, callback),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            assert b"ready" in await process.stdout.readline(), "the provider did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def fetched() -> Path:
    """The folder with the provider and its dependencies, as the lock beside this file says; npm checks the hashes."""
    lock = (HERE / "package-lock.json").read_bytes()
    folder = default_cache().parent / f"oidc-provider-{hashlib.sha256(lock).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as one:
        fcntl.flock(one, fcntl.LOCK_EX)
        for file in HERE.glob("*.*js*"):
            shutil.copy(file, folder)
        if not (folder / ".fetched").exists():
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            try:
                subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=FETCH_SECONDS)
            except (OSError, subprocess.SubprocessError) as error:
                pytest.skip(f"npm could not fetch the provider: {error}")
            (folder / ".fetched").touch()
    return folder
