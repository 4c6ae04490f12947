"""`countersign gate check` at a web application behind the real nginx: the real command, over HTTPS."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.countersign.installation import COMMAND
from tests.portal.forward_auth.applications import APP, COOKIE, HOST, Scene

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECONDS = 300
# Runs a command for which the application's name leads to this machine.
IN_NAMESPACE = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'


@pytest.mark.skipif(os.geteuid() != 0, reason="a name of its own needs a mount namespace, and that root")
@pytest.mark.parametrize("scene", ["nginx"], indirect=True)
async def test_a_browser_that_was_there_before_is_found_to_pass_with_its_grant_alone(
    scene: Scene, tmp_path: Path
) -> None:
    async with scene.granted("alice"):
        cookie = (await scene.opened("alice"))[COOKIE]
    hosts, trusted = tmp_path / "hosts", tmp_path / "trusted.pem"
    hosts.write_text(f"127.0.0.1 localhost {HOST}\n")
    trusted.write_text(scene.authority)
    tokens = scene.site.portal.tokens
    environment = {
        "PATH": os.environ["PATH"],
        "SSL_CERT_FILE": str(trusted),
        "COUNTERSIGN_URL": scene.site.url,
        "COUNTERSIGN_TOKEN": tokens["grace"],
        "COUNTERSIGN_PERSON_TOKEN": tokens["alice"],
    }
    check = [COMMAND, "gate", "check", f"{scene.app}/", "--device", APP, "--protocol", "http", "--person", "alice"]
    options = ["--header", f"Cookie: {COOKIE}={cookie}", "--json"]
    inside = ["unshare", "--mount", "sh", "-c", IN_NAMESPACE, "sh", str(hosts)]
    process = await asyncio.create_subprocess_exec(
        *inside, *check, *options, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(SECONDS):
        out, errors = await process.communicate()
    assert process.returncode == 0, (out, errors)
    found = {one["part"]: one["state"] for one in json.loads(out)}
    assert next(iter(found)) == "nothing comes through before its person has asked"
    assert set(found.values()) == {"ok"}
    assert (await scene.get("/", {COOKIE: cookie})).status_code == 302
