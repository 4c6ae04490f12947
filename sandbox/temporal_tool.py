"""Find the `temporal` command line tool, which holds the real server, or fetch it into the project's cache."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.arguments import print_program

Say = Callable[[str], None]

GO_PACKAGE = "github.com/temporalio/cli/cmd/temporal@v1.5.1"  # later tags have a `replace` line that go install refuses
OLDEST_SERVER = (1, 29)
VERSION_SECONDS = 120
DOWNLOAD_SECONDS = 300
BUILD_SECONDS = 1800
PROGRESS_SECONDS = 5
MISSING = (
    "No Temporal server: install the `temporal` command line tool (https://docs.temporal.io/cli) on PATH, "
    "or Go (https://go.dev/dl) to build it, or set TEMPORAL_ADDRESS to a server that runs."
)
# In a process of its own: ending a program that ran the SDK's own dev server can crash it (SDK 1.35).
# It ends at once: threads of the SDK may crash an interpreter that shuts down normally, with one more message.
DOWNLOAD = """
import asyncio, os, sys
from temporalio.testing import WorkflowEnvironment
async def main():
    server = await WorkflowEnvironment.start_local(download_dest_dir=sys.argv[1], dev_server_log_level="error")
    await server.shutdown()
    print("downloaded", flush=True)
try:
    asyncio.run(main())
except Exception as error:
    print(*str(error).split(), file=sys.stderr, flush=True)
os._exit(0)
"""


class NoTemporal(Exception):
    """No Temporal server can be had; the text says what to install."""


def say_on_stderr(text: str) -> None:
    """Tell the person at the terminal."""
    print(text, file=sys.stderr, flush=True)


def default_cache() -> Path:
    """The folder where the project keeps the programs it fetched (the XDG base directory specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "countersign" / "bin"


def find_temporal(say: Say = say_on_stderr, cache: Path | None = None) -> Path:
    """Return the tool: from PATH, the cache, the SDK's download or built by Go (minutes, once); raises NoTemporal."""
    cache = cache or default_cache()
    tool = _on_path(say) or _in_cache(cache, say)
    if tool:
        return tool
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / ".lock"):
        # Somebody else may have fetched it while we waited for the lock.
        tool = _in_cache(cache, say) or _downloaded(cache, say) or _built(cache, say)
    if not tool:
        raise NoTemporal(MISSING)
    return tool


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that other processes wait for."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _on_path(say: Say) -> Path | None:
    found = shutil.which("temporal")
    return Path(found) if found and _usable(Path(found), "on PATH", say) else None


def _in_cache(cache: Path, say: Say) -> Path | None:
    tool = cache / "temporal"
    return tool if tool.exists() and _usable(tool, "in the cache", say) else None


def _usable(tool: Path, where: str, say: Say) -> bool:
    """Whether the tool holds a server that is new enough; tells the user that it is used, or why not."""
    version = server_version(tool)
    if version is None:
        say(f"Temporal: {tool} ({where}) does not run; looking further.")
    elif version < OLDEST_SERVER:
        say(f"Temporal: {tool} ({where}) holds server {_dotted(version)}, older than {_dotted(OLDEST_SERVER)}.")
    else:
        say(f"Temporal: {tool} ({where}, server {_dotted(version)})")
        return True
    return False


def server_version(tool: Path) -> tuple[int, int] | None:
    """The version of the server in the tool, or None if it does not run or does not say."""
    try:
        done = subprocess.run([tool, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\(Server (\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else None


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _downloaded(cache: Path, say: Say) -> Path | None:
    say("Temporal: not found; trying the SDK's download ...")
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        problem = download(Path(folder))
        files = list(Path(folder).glob("temporal-*"))
        if problem or not files:
            say(f"Temporal: no download ({problem or 'nothing came'}).")
            return None
        files[0].replace(cache / "temporal")
    return _in_cache(cache, say)


def download(folder: Path) -> str:
    """Let the SDK download into the folder; returns the problem, or nothing."""
    command = [sys.executable, "-c", DOWNLOAD, str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"not done in {DOWNLOAD_SECONDS} s"
    if "downloaded" in done.stdout:
        return ""
    return (done.stderr.strip().splitlines() or ["it ended without a message"])[-1]


def _built(cache: Path, say: Say) -> Path | None:
    go = shutil.which("go")
    if not go:
        say("Temporal: Go is not installed, so the tool can't be built.")
        return None
    say("Temporal: building the tool with Go (about 3 minutes and 250 MB, once) ...")
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        problem = go_install(go, GO_PACKAGE, Path(folder), "Temporal")
        if problem:
            say(f"Temporal: the build failed: {problem}")
            return None
        (Path(folder) / "temporal").replace(cache / "temporal")
    return _in_cache(cache, say)


def go_install(go: str, package: str, folder: Path, name: str) -> str:
    """Build a package into the folder, with a line of progress in a terminal; returns the problem, or nothing."""
    started = time.monotonic()
    output = folder / "output"
    environment = os.environ | {"GOBIN": str(folder), "GOFLAGS": ""}
    with output.open("w") as log:
        build = subprocess.Popen([go, "install", package], env=environment, stdout=log, stderr=log)
    try:
        while build.poll() is None and time.monotonic() - started < BUILD_SECONDS:
            try:
                build.wait(PROGRESS_SECONDS)
            except subprocess.TimeoutExpired:
                _progress(f"\r{name}: building, {time.monotonic() - started:.0f} s ...")
    finally:
        _progress("\n")
        build.kill()
        build.wait()
    if build.returncode == 0:
        return ""
    return output.read_text(errors="replace").strip()[-500:] or "it took too long"


def _progress(text: str) -> None:
    """Write over the line before; a file or a pipe would keep every one of them."""
    if sys.stderr.isatty():
        print(text, end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    print_program("sandbox.temporal_tool", __doc__, find_temporal, NoTemporal)
