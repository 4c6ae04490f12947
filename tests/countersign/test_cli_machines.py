"""service-token and provisioning-key, against a real portal."""

from __future__ import annotations

import re

import pytest

from tests.countersign.installation import Run


def test_a_service_token_is_made_listed_changed_and_revoked(by: Run) -> None:
    ran = by("ada", "service-token", "create", "CI", "--lasts", "90d")
    found = re.fullmatch(r"CF-Access-Client-Id: (st\w{12})\nCF-Access-Client-Secret: (cs_service_\w{72})\n", ran.out)
    assert (ran.code, found is not None, "shown only now" in ran.err) == (0, True, True)
    assert found
    token_id, secret = found.groups()
    listed = by("ada", "service-token", "list")
    assert (token_id in listed.out, "never" in listed.out, secret[-20:] in listed.out) == (True, True, False)
    assert by("ada", "service-token", "disable", token_id).out == f"CI ({token_id}) is disabled.\n"
    assert by("ada", "service-token", "list", "--json").json[0]["disabled_at"]
    assert by("ada", "service-token", "enable", token_id).out.startswith(f"CI ({token_id}) lasts until ")
    assert by("ada", "service-token", "refresh", token_id, "--json").json["id"] == token_id
    rotated = by("ada", "service-token", "rotate", token_id, "--overlap", "1h", "--json").json
    assert rotated["client_secret"] not in ("", secret)
    again = by("ada", "service-token", "rotate", token_id)
    assert (again.code, "works until" in again.err) == (1, True)
    assert by("ada", "service-token", "end-previous-secret", token_id).code == 0
    assert by("ada", "service-token", "revoke", token_id).out == f"CI ({token_id}) was revoked.\n"
    assert token_id not in by("ada", "service-token", "list").out


def test_a_provisioning_key_is_made_listed_and_ended(by: Run) -> None:
    asked = ("provisioning-key", "create", "kiosks", "--person", "alice", "--devices", "3", "--skips-approval")
    made = by("ada", *asked)
    found = re.fullmatch(r"cs_provisioning_(k\w{12})_\w{72}\n", made.out)
    assert (made.code, found is not None) == (0, True)
    assert found
    listed = by("ada", "provisioning-key", "list")
    assert "0 of 3" in listed.out
    assert (
        "needs no approval" in by("ada", "provisioning-key", "list").out.replace("\n", " ") or "needs no" in listed.out
    )
    assert by("ada", "provisioning-key", "list", "--json").json[0]["person"] == "alice"
    ended = by("ada", "provisioning-key", "end", found[1])
    assert ended.out == f"kiosks ({found[1]}) has ended; 0 devices had registered.\n"
    assert by("ada", "provisioning-key", "create", "x", "--person", "nobody", "--devices", "1").code == 5


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("service-token", "create", " "), 2, "must say what it is for"),
        (("service-token", "create", "x", "--lasts", "soon"), 2, "must be a duration"),
        (("service-token", "rotate", "st0", "--overlap", "31d"), 2, "from 1h to 30d"),
        (("service-token", "revoke", "../tokens/x"), 5, ""),
        (("service-token", "revoke", "st0"), 5, "There is no service token st0."),
        (("provisioning-key", "create", "x", "--person", "alice", "--devices", "0"), 2, "--devices"),
        (("provisioning-key", "end", "k0"), 5, "There is no provisioning key k0."),
    ],
)
def test_what_is_wrong_is_said(by: Run, arguments: tuple[str, ...], code: int, says: str) -> None:
    ran = by("ada", *arguments)
    assert (ran.code, says in " ".join(ran.err.split())) == (code, True), ran


def test_others_may_not(by: Run) -> None:
    assert by("alice", "service-token", "list").code == 3
    assert by("alice", "provisioning-key", "create", "x", "--person", "alice", "--devices", "1").code == 3
