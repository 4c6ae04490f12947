"""Many people at once at a host that asks by PAM: nobody is in before their yes, all are in after it, all leave."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from sandbox.temporal_server import free_port
from tests.countersign.gates.gate_installation import CROWD, policy
from tests.countersign.gates.networks import wait_until
from tests.countersign.gates.pam_host import PASSWORD, Dialogue, GatedHost
from tests.whole import IS_WHOLE

# For all of them: each login runs programs that keep a processor busy for a while.
CROWD_SECONDS = 600
PASSES = "echo is-in; cat"
# All 200 take minutes on a small machine.
PEOPLE = CROWD[: int(os.environ.get("COUNTERSIGN_TEST_CROWD", "20" if IS_WHOLE else "8"))]
BY_KEY = PEOPLE[:20]


@pytest.fixture(scope="module")
def crowded(gated_host: GatedHost) -> GatedHost:
    """The host with accounts for all of them, and an sshd that turns nobody away."""
    hashed = subprocess.run(["openssl", "passwd", "-6", PASSWORD], capture_output=True, text=True, check=True).stdout
    gated_host.add_people(CROWD, "crowd", "/bin/bash", password=hashed.strip())
    public = gated_host.key.with_suffix(".pub").read_text()
    for person in CROWD:
        (gated_host.files / f"etc/countersign/keys/{person}").write_text(public)
    return gated_host


@contextmanager
def whom_grace_approves(host: GatedHost, people: list[str]) -> Iterator[None]:
    """Within the block these people need a yes."""
    with host.portal.api() as api:
        api.apply_policy(policy().replace("members: [alice, bob]", f"members: [alice, bob, {', '.join(people)}]"))
        try:
            yield
        finally:
            api.apply_policy(policy())


@pytest.mark.timeout(3 * CROWD_SECONDS)
def test_many_people_wait_at_once_all_are_let_in_and_each_leaves_with_their_grant(
    crowded: GatedHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port, log, said = free_port(), tmp_path / "sshd.log", list[str]()
    crowded.serve_ssh(port, log, "MaxStartups=600", f"LoginGraceTime={CROWD_SECONDS}")
    # At most three may wait at one address.
    options = {one: [f"Port={port}", f"BindAddress=127.0.1.{n}"] for n, one in enumerate(PEOPLE, 1)}

    @contextmanager
    def timed(what: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        said.append(f"{time.monotonic() - began:.1f} s until {what}")

    # The defaults: with the few seconds of the other tests, a slow portal counts as away.
    usual = crowded.config(grace="5m", retry_within="60s")
    with crowded.configured(usual), whom_grace_approves(crowded, PEOPLE), ExitStack() as stack:

        def begin(command: list[str]) -> Dialogue:
            return stack.enter_context(Dialogue(command))

        with timed("each had a request"):
            waiting = [begin(crowded.ssh_by_dialogue(one, PASSES, options=options[one])) for one in PEOPLE]
            numbers = [crowded.waiting(one) for one in PEOPLE]
        assert not [one.shown for one in waiting if one.is_over or is_in(one)]
        assert "Accepted" not in log.read_text()
        with timed("all were approved"):
            for number in numbers:
                crowded.portal.approve(number)
        with timed("all who waited were in"):
            assert all(gets_in(one) for one in waiting), [one.shown for one in waiting if one.is_over]
        with timed(f"{len(BY_KEY)} were in once more, by key"):
            by_key = list[Dialogue]()
            left = BY_KEY
            while left:
                tried = {one: begin(crowded.ssh(one, PASSES, options=options[one])) for one in left}
                left = [one for one in left if not gets_in(tried[one])]
                by_key += [tried[one] for one in tried if one not in left]
                # A program is told to try again if the portal has too much to do.
                assert all("try again" in tried[one].shown for one in left)
        assert not [one.shown for one in waiting + by_key if one.is_over]
        # Nobody whom PAM let in was refused the session.
        assert log.read_text().count("Accepted") == len(PEOPLE) + len(BY_KEY)
        with timed("all grants were revoked"):
            for number in numbers:
                crowded.portal.revoke(number)
        with timed("nobody was in any more"):
            wait_until(lambda: all(one.is_over for one in waiting + by_key), CROWD_SECONDS)
    with capsys.disabled():
        print(f"\n{len(PEOPLE)} people: {', '.join(said)}.")


def is_in(login: Dialogue) -> bool:
    return "is-in" in login.shown


def gets_in(login: Dialogue) -> bool:
    """Whether somebody is let in, once that is known."""
    wait_until(lambda: is_in(login) or login.is_over, CROWD_SECONDS)
    return is_in(login)
