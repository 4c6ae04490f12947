"""Pages of the command line: at any width, with times in the local zone, and with texts that contain markup."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console, RenderableType

from countersign.cli import list_page, output, request_page, times
from countersign.cli.exits import Code
from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from countersign.models import Decision, GrantStatus, GrantView, Status, Verdict
from countersign.views import ApproverView, AuditEventView, RequestView
from tests.samples import CHANGED_DEVICE

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LONG = "The nightly backup failed; I need to look at the archive before it fills the disk, and restart it."


def minutes(number: float) -> datetime:
    return NOW + timedelta(minutes=number)


def decision(person: str, level: int = 1, verdict: Verdict = Verdict.APPROVE, comment: str = "") -> Decision:
    return Decision(
        answer_id=person, level=level, person=person, verdict=verdict, comment=comment, channel="email", at=NOW
    )


WAITING = RequestView(
    approval_id=1042,
    question=ConnectionQuestion(
        requester="alice",
        device="db-1",
        protocol=ConnectionProtocol.SSH,
        reason=LONG,
        source_address="10.0.0.7",
        minutes=90,
    ),
    requester_name="Alice Ainsworth",
    because="approval workflow Engineers to databases",
    status=Status.WAITING,
    message="",
    level=2,
    levels=3,
    quorum=2,
    opened_at=minutes(-2),
    deadline=minutes(58),
    settled_at=None,
    grant_minutes=90,
    approvers=[
        ApproverView(level=1, person="grace", name="Grace Hopper", because="manager of engineers"),
        ApproverView(level=2, person="heidi", name="Heidi Huber", because="manager of databases"),
        ApproverView(level=2, person="ivan", name="Ivan Ivanov", because="manager of databases"),
    ],
    decisions=[decision("grace"), decision("heidi", 2, comment="be quick")],
)


def granted(status: GrantStatus) -> RequestView:
    grant = GrantView(approval_id=1042, status=status, starts_at=NOW, ends_at=minutes(90), source_address="10.0.0.7")
    message = "Approved by grace."
    changes = {"status": Status.APPROVED, "message": message, "settled_at": minutes(-1), "grant": grant, "level": 3}
    return WAITING.model_copy(update=changes)


def printed(page: RenderableType, width: int = 80) -> str:
    screen = Console(file=io.StringIO(), width=width, markup=False, emoji=False, highlight=False)
    screen.print(page)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_clock_times_are_local_and_dated_when_not_today() -> None:
    local = NOW.astimezone()
    assert times.clock(NOW, NOW) == f"{local:%H:%M}"
    assert times.clock(NOW, NOW, seconds=True, zone=True) == f"{local:%H:%M:%S} {local.tzname()}"
    assert times.clock(NOW, NOW + timedelta(days=3)) == f"{local:%a %-d %b %Y}, {local:%H:%M}"


def test_a_waiting_request_says_who_agreed_and_whom_it_waits_for() -> None:
    page = printed(request_page.page(WAITING, [], NOW))
    assert "#1042 Waiting, expires in 58 minutes" in page
    assert "Level 1 of 3: passed" in page
    assert "Level 2 of 3: 1 of 2 approved" in page
    assert "Level 3 of 3: not started" in page
    rows = {row.split()[1]: row for row in page.splitlines() if row.startswith(("  ✓", "  …"))}
    assert "approved" in rows["Heidi"]
    assert rows["Ivan"].strip().endswith("told, no answer yet")
    assert "1 hour 30 minutes, from the approval on" in page
    assert [one.person for one in WAITING.awaited] == ["ivan"]


def test_a_table_of_details_shows_what_has_changed_first_and_no_grant_that_there_will_not_be() -> None:
    asked = WAITING.model_copy(
        update={"question": CHANGED_DEVICE, "grant_minutes": 0, "approvers": [], "decisions": []}
    )
    page = printed(request_page.page(asked, [], NOW))
    assert "Alice Ainsworth to device carbon" in page
    rows = [" ".join(row.split()) for row in page.splitlines()]
    first = rows.index("Kernel 6.1.0-21-amd64 was: 6.1.0-18-amd64")
    assert rows[first + 1 : first + 4] == [
        "Disk encrypted no was: yes",
        "Automatic updates not known was: no",
        "Name carbon",
    ]
    assert "from the approval on" not in page


def test_a_grant_of_less_than_a_minute_is_said_in_seconds() -> None:
    short = WAITING.model_copy(update={"grant_minutes": 1, "grant_seconds": 45})
    assert "45 seconds, from the approval on" in printed(request_page.page(short, [], NOW))


def test_asked_is_said_of_those_only_who_were_told() -> None:
    untold = WAITING.approvers[2].model_copy(update={"told": False})
    waiting = WAITING.model_copy(update={"approvers": [*WAITING.approvers[:2], untold]})
    [ivan] = [row for row in printed(request_page.page(waiting, [], NOW)).splitlines() if "Ivan" in row]
    assert ivan.strip().endswith("not told yet")


def test_of_an_expired_request_it_is_shown_who_did_not_answer() -> None:
    reached = [
        WAITING.approvers[0],
        *WAITING.approvers[1:],
        ApproverView(level=2, person="judy", name="Judy", because="fallback approver", availability="unreachable"),
    ]
    changes = {"status": Status.EXPIRED, "settled_at": minutes(-1), "approvers": reached}
    lines = printed(request_page.page(WAITING.model_copy(update=changes), [], NOW)).splitlines()
    said = {name: line for line in lines for name in ("Heidi", "Ivan", "Judy") if name in line}
    assert "approved" in said["Heidi"]
    assert said["Ivan"].rstrip().endswith("did not answer")
    assert said["Judy"].rstrip().endswith("can't be reached")
    assert "not needed" not in "".join(lines)


def test_an_approval_that_lapsed_is_shown_as_one_that_counts_no_longer() -> None:
    lapsed = decision("heidi", 2).model_copy(update={"lapsed": True})
    page = printed(request_page.page(WAITING.model_copy(update={"decisions": [decision("grace"), lapsed]}), [], NOW))
    assert "Level 2 of 3: 0 of 2 approved" in page
    assert "no longer counts, as they were disabled" in page


def test_it_waits_for_who_was_not_disabled_and_has_no_answer_that_counts() -> None:
    lapsed = decision("heidi", 2).model_copy(update={"lapsed": True})
    view = WAITING.model_copy(update={"decisions": [decision("grace"), lapsed]})
    assert [one.person for one in view.awaited] == ["heidi", "ivan"]
    approvers = [one.model_copy(update={"availability": "disabled"}) for one in view.approvers]
    assert view.model_copy(update={"approvers": approvers}).awaited == []


def test_who_is_not_among_those_asked_is_shown_when_they_counted() -> None:
    own = WAITING.model_copy(update={"decisions": [decision("alice", 2, comment="The requester is manager of it.")]})
    page = printed(request_page.page(own, [], NOW))
    assert "✓  Alice Ainsworth" in page
    assert "The requester is manager of it." in " ".join(page.split())


def test_a_rejected_request_shows_no_level_that_never_came() -> None:
    update = {"status": Status.REJECTED, "message": "Rejected by heidi: no", "settled_at": NOW}
    rejected = WAITING.model_copy(update={**update, "decisions": [decision("heidi", 2, Verdict.REJECT, "no")]})
    page = printed(request_page.page(rejected, [], NOW))
    assert "#1042 Rejected  Rejected by heidi: no" in page
    assert "✗  Heidi Huber" in page
    assert "not needed" in page
    assert "Level 3" not in page


@pytest.mark.parametrize(
    ("status", "message", "listed"),
    [
        (GrantStatus.ACTIVE, "Active until ", "ends in 1"),
        (GrantStatus.REVOKED, "Revoked; ", "Revoked "),
        (GrantStatus.ENDED, "Ended ", "ended just now"),
    ],
)
def test_a_grant_says_how_it_stands(status: GrantStatus, message: str, listed: str) -> None:
    view = granted(status)
    assert f"Grant    {message}" in printed(request_page.page(view, [], NOW), 120)
    assert listed in printed(list_page.page([view], NOW, 80))


def test_an_active_grant_whose_end_has_passed_is_not_open() -> None:
    assert "ends in" not in printed(list_page.page([granted(GrantStatus.ACTIVE)], minutes(91), 80))


@pytest.mark.parametrize("width", [24, 40, 60, 80, 100, 140])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    line = AuditEventView(version=1, approval_id=1042, kind="opened", at=NOW, who="alice", channel="", detail=LONG)
    for page in (request_page.page(WAITING, [line], NOW), list_page.page([WAITING], NOW, width)):
        assert max(len(row) for row in printed(page, width).splitlines()) <= width


def test_a_wide_list_has_the_reason_and_a_narrow_one_has_not() -> None:
    assert "The nightly backup" in printed(list_page.page([WAITING], NOW, 110), 110)
    assert "Ivan" in printed(list_page.page([WAITING], NOW, 70), 70)
    narrow = printed(list_page.page([WAITING], NOW, 50), 50)
    assert "Ivan" not in narrow
    assert "1042" in narrow


def test_markup_in_any_text_is_only_text() -> None:
    bad = "[red]x[/red] [link=http://evil.example]y[/link] :boom: [/]"
    question = ConnectionQuestion(
        requester="alice", device="db-1", protocol=ConnectionProtocol.SSH, reason=bad, ticket=bad
    )
    update = {"question": question, "requester_name": bad, "because": bad, "message": bad}
    view = WAITING.model_copy(update={**update, "decisions": [decision("grace", comment=bad)]})
    line = AuditEventView(version=1, approval_id=1042, kind="opened", at=NOW, who=bad, channel=bad, detail=bad)
    assert printed(request_page.page(view, [line], NOW), 400).count(bad) == 8


def test_json_is_ascii_and_the_same_value(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_json({"name": "Jürgen \x9b\u202e", "at": NOW, "code": Code.NO})
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x9b" not in out
    assert json.loads(out) == {"name": "Jürgen \x9b\u202e", "at": "2026-03-01T12:00:00Z", "code": 1}
