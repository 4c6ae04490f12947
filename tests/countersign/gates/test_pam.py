"""PAM as the gate of a host, with the programs that people log in with: sshd, sudo, su and login."""

from __future__ import annotations

import pytest

from countersign.models import Status
from tests.countersign.gates.gate_installation import policy
from tests.countersign.gates.networks import wait_until
from tests.countersign.gates.pam_host import PASSWORD, Dialogue, GatedHost, granted, grants_of, ran

STAYS_OPEN = "It stays open: connect again when it is approved."


def test_a_key_is_told_at_once_gets_in_after_the_yes_and_leaves_with_the_grant(host: GatedHost) -> None:
    for _ in range(2):
        out, said = ran(host.ssh("alice", "id -un"), 255)
        assert (out, STAYS_OPEN in said) == ("", True)
        assert "waits for Grace Hopper" in said
    number = host.waiting("alice")
    host.portal.approve(number)
    assert ran(host.ssh("alice", "id -un"))[0] == "alice\n"
    with Dialogue(host.ssh("alice", "setsid sleep 1001 & (trap '' HUP TERM; sleep 1002) & echo is-in; cat")) as session:
        session.until("is-in")
        wait_until(lambda: len(host.processes("sleep 100[12]")) == 2)
        host.portal.revoke(number)
        assert session.wait() == 255
    wait_until(lambda: not host.processes("sleep 100[12]"))
    ran(host.ssh("alice", "true"), 255)


def test_what_is_left_in_the_background_ends_with_the_grant_too(host: GatedHost) -> None:
    number = granted(host, "alice")
    ran(host.ssh("alice", "(setsid sleep 1003 > /dev/null 2>&1 < /dev/null &)"))
    wait_until(lambda: host.processes("sleep 1003"))
    host.portal.revoke(number)
    wait_until(lambda: not host.processes("sleep 1003"))


def test_a_dialogue_waits_and_gets_in(host: GatedHost) -> None:
    with Dialogue(host.ssh_by_dialogue("alice", "id -un")) as session:
        number = host.waiting("alice")
        assert "alice\n" not in session.shown
        host.portal.approve(number)
        session.until("alice\n")
        assert session.wait() == 0
        assert f"#{number} lets you in until" in session.shown


def test_a_dialogue_that_is_broken_off_withdraws_the_request(host: GatedHost) -> None:
    with Dialogue(host.ssh_by_dialogue("alice", "id -un")):
        host.waiting("alice")
    wait_until(lambda: host.requests("alice")[0].status is Status.CANCELLED)


def test_a_rejected_login_is_told_so(host: GatedHost) -> None:
    with Dialogue(host.ssh_by_dialogue("alice", "id -un")) as session:
        number = host.waiting("alice")
        host.portal.reject(number, "not today")
        session.until("not today")
        assert session.wait() == 255


@pytest.mark.parametrize("command", ["sudo id -u", "sudo -i id -u", "su bob -c 'id -u'", "su - bob -c 'id -u'"])
def test_who_calls_is_asked_about_and_sees_whom_it_waits_for(host: GatedHost, command: str) -> None:
    with host.on_terminal("alice", command) as session:
        if command.startswith("su "):
            session.until("Password:")
            session.type(f"{PASSWORD}\n")
        session.until("waits for Grace Hopper")
        number = host.waiting("alice")
        assert not host.requests("root")
        host.portal.approve(number)
        assert session.wait() == 0
        assert session.shown.split()[-1] in {"0", "1002"}


def test_ctrl_c_withdraws_the_request(host: GatedHost) -> None:
    with host.on_terminal("alice", "sudo id -u") as session:
        session.until("waits for")
        session.type("\x03")
        session.wait()
    wait_until(lambda: host.requests("alice")[0].status is Status.CANCELLED)


def test_without_a_terminal_sudo_is_told_at_once(host: GatedHost) -> None:
    out, said = ran(host.inside("su", "alice", "-c", "sudo id -u < /dev/null"), 1)
    assert STAYS_OPEN in out + said
    host.portal.approve(host.waiting("alice"))
    # The output that a program reads has nothing of ours in it.
    assert ran(host.inside("su", "alice", "-c", "sudo id -u"))[0] == "0\n"


def test_a_command_of_sudo_ends_with_the_grant(host: GatedHost) -> None:
    with host.on_terminal("alice", "sudo sh -c 'sleep 1004 & trap \"\" HUP; echo run''ning; sleep 1004'") as session:
        number = host.waiting("alice")
        host.portal.approve(number)
        session.until("running")
        host.portal.revoke(number)
        session.until("This session ends now.")
        session.wait()
    wait_until(lambda: not host.processes("sleep 1004"))


def test_login_at_the_console_waits(host: GatedHost) -> None:
    with Dialogue(host.inside("script", "-qec", "login", "/dev/null")) as session:
        session.until("login:")
        session.type("alice\n")
        session.until("Password:")
        session.type(f"{PASSWORD}\n")
        session.until("waits for Grace Hopper")
        number = host.waiting("alice")
        host.portal.approve(number)
        session.until("lets you in until")
        session.until("$ ")
        session.type("echo I am $(id -un)\n")
        session.until("I am alice")
        host.portal.revoke(number)
        session.wait()


def test_a_session_ends_when_its_grant_does(host: GatedHost) -> None:
    with grants_of(host, "5s"):
        granted(host, "alice")
    with Dialogue(host.ssh("alice", "echo is-in; cat")) as session:
        session.until("is-in")
        assert session.wait() == 255


def test_a_session_ends_when_its_person_is_disabled(host: GatedHost) -> None:
    granted(host, "bob")
    with host.portal.api() as api, Dialogue(host.ssh("bob", "echo is-in; cat")) as session:
        session.until("is-in")
        api.apply_policy(policy().replace("bob@example.test}", "bob@example.test, disabled: true}"))
        try:
            assert session.wait() == 255
            assert ran(host.ssh("bob", "id -un"), 255)[0] == ""
        finally:
            api.apply_policy(policy())
