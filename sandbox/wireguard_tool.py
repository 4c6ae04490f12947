"""Find `wireguard-go`, WireGuard without the kernel's, or build it; and check that networks can be made here."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from sandbox.arguments import print_program
from sandbox.temporal_tool import Say, default_cache, go_install, locked, say_on_stderr

GO_PACKAGE = "golang.zx2c4.com/wireguard@v0.0.0-20260522210424-ecfc5a8d5446"
NAME = "wireguard-go"
PROGRAMS = {"wg": "wireguard-tools", "ip": "iproute2", "ping": "iputils-ping", "unshare": "util-linux"}
TUN = Path("/dev/net/tun")
CHECK_SECONDS = 30
# A network of its own with a device of wireguard-go's kind in it.
CHECK = ("unshare", "--net", "--mount", "ip", "tuntap", "add", "mode", "tun", "name", "check0")


class NoWireGuard(Exception):
    """WireGuard can't be had or can't run here; the text says what to do."""


def find_wireguard(say: Say = say_on_stderr, cache: Path | None = None) -> Path:
    """Return the program: from PATH, the cache, or built by Go (half a minute, once); raises NoWireGuard."""
    found = shutil.which(NAME)
    kept = (cache or default_cache()) / NAME
    if found or kept.exists():
        return Path(found or kept)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with locked(kept.parent / ".wireguard-lock"):
        # Somebody else may have built it while we waited for the lock.
        if not kept.exists():
            _build(kept, say)
    return kept


def check_networks() -> None:
    """Raise NoWireGuard if networks of their own, with WireGuard in them, can't be made."""
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    if missing:
        raise NoWireGuard(f"No WireGuard to test with: install {', '.join(missing)}.")
    done = subprocess.run(CHECK, capture_output=True, text=True, timeout=CHECK_SECONDS, check=False)
    if done.returncode != 0:
        raise NoWireGuard(
            f"No WireGuard to test with: a network of its own can't be made here ({done.stderr.strip()}); "
            f"that needs root, or CAP_NET_ADMIN and CAP_SYS_ADMIN, and {TUN}."
        )


def _build(target: Path, say: Say) -> None:
    go = shutil.which("go")
    if not go:
        raise NoWireGuard(f"No WireGuard to test with: install {NAME}, or Go (https://go.dev/dl) to build it.")
    say("WireGuard: building wireguard-go with Go (half a minute, once) ...")
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        problem = go_install(go, GO_PACKAGE, Path(folder), "WireGuard")
        if problem:
            raise NoWireGuard(f"No WireGuard to test with: {NAME} could not be built ({problem}).")
        (Path(folder) / "wireguard").replace(target)


def _find() -> Path:
    check_networks()
    return find_wireguard()


if __name__ == "__main__":
    print_program("sandbox.wireguard_tool", __doc__, _find, NoWireGuard)
