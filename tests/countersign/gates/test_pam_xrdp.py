"""PAM as the gate of a host with xrdp: a grant opens a desktop, which ends with the grant."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from countersign.models import Status
from tests.countersign.gates.networks import SECONDS, wait_until
from tests.countersign.gates.pam_host import PASSWORD, GatedHost
from tests.countersign.gates.rdp_host import FOR_DESKTOPS, RdpHost, Screen, missing, serve_xrdp

# The command that stands for a desktop, and the one that it leaves in the background.
DESKTOP, LEFT = "sleep 1006", "sleep 1007"


@dataclass
class Desktops:
    """xrdp on a host, and a screen in front of it."""

    host: GatedHost
    xrdp: RdpHost
    screen: Screen

    @contextmanager
    def client(self, person: str) -> Iterator[subprocess.Popen[bytes]]:
        """FreeRDP, with which somebody logs in."""
        process = self.screen.log_in(person, PASSWORD, f"127.0.0.1:{self.xrdp.port}")
        try:
            yield process
        finally:
            process.kill()
            process.wait(SECONDS)

    def said(self, text: str) -> int:
        """How often xrdp has logged this."""
        return self.xrdp.log.read_text(errors="replace").count(text)

    @property
    def processes(self) -> list[str]:
        """The ids of the desktops' processes."""
        return self.host.processes(DESKTOP) + self.host.processes(LEFT)


@pytest.fixture
def desktops(host: GatedHost, tmp_path: Path) -> Iterator[Desktops]:
    if lacking := missing(FOR_DESKTOPS):
        pytest.skip(f"desktops need {lacking}, which is not installed")
    xrdp = serve_xrdp(host, tmp_path, f"setsid {LEFT} &\nexec {DESKTOP}")
    with Screen(tmp_path) as screen:
        yield Desktops(host, xrdp, screen)


def test_a_desktop_opens_after_the_yes_and_ends_with_the_grant(host: GatedHost, desktops: Desktops) -> None:
    with desktops.client("alice"):
        number = host.waiting("alice")
        wait_until(lambda: desktops.said("login failed for user alice"))
    [request] = host.requests("alice")
    assert (request.subject.variant, request.asked_by, desktops.processes) == ("rdp", "gateway:host-1", [])
    host.portal.approve(number)
    with desktops.client("alice"):
        wait_until(lambda: len(desktops.processes) == 2)
    # Whoever has disconnected comes back to the same desktop.
    before = desktops.processes
    with desktops.client("alice"):
        wait_until(lambda: desktops.said("login successful for user alice") == 2)
        assert desktops.processes == before
        host.portal.revoke(number)
        wait_until(lambda: not host.run("pgrep", "--uid", "alice", "--runstates", "DRSTt", check=False))
    # Connecting again, as FreeRDP may have done by itself, asks anew.
    with desktops.client("alice"):
        assert host.waiting("alice") != number
        wait_until(lambda: desktops.said("login failed for user alice") >= 2)
    assert [one.status for one in host.requests("alice")] == [Status.WAITING, Status.APPROVED]
    assert desktops.processes == []
