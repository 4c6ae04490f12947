"""`countersign show` says why an answer did not count, check by check."""

from datetime import UTC, datetime

from rich.console import Console

from countersign.cli.refusals import refusals
from countersign.cli.repeats import folded
from countersign.views import AuditEventView


def line(kind: str, proof: dict[str, str]) -> AuditEventView:
    at = datetime(2024, 5, 14, 12, 0, tzinfo=UTC)
    return AuditEventView(
        version=1, approval_id=1042, kind=kind, at=at, who="mallory", channel="email", detail="Not yours.", proof=proof
    )


def printed(rows: list[AuditEventView], *, whole: bool = False) -> list[str]:
    console = Console(width=70, no_color=True)
    with console.capture() as capture:
        for one in refusals(rows, whole=whole):
            console.print(one)
    return [" ".join(row.split()) for row in capture.get().splitlines()]


def test_each_check_is_shown_in_its_order_with_what_it_saw() -> None:
    proof = {
        "code": "own_copy",
        "check 10: still waiting": "passed: Waiting",
        "check 2: own copy": "FAILED: a token of grace",
        "check 1: authentic": "passed: dmarc=pass",
    }
    assert printed([line("answer_refused", proof)], whole=True) == [
        "mallory by email: Not yours.",
        "✓ authentic dmarc=pass",
        "✗ own copy a token of grace",
        "✓ still waiting Waiting",
    ]
    assert printed([line("answer_refused", proof)]) == ["mallory by email: Not yours.", "✗ own copy a token of grace"]


def test_twenty_refused_replies_are_one_row_and_one_block_of_checks() -> None:
    rows = [
        line("answer_refused", {"check 1: authentic": f"FAILED: {number}"}).model_copy(
            update={"detail": f"Not yours: {number}.", "at": datetime(2024, 5, 14, 12, number, tzinfo=UTC)}
        )
        for number in range(20)
    ]
    assert printed(rows) == ["mallory by email (the last of 20): Not yours: 19.", "✗ authentic 19"]
    assert len(printed(rows, whole=True)) == 40
    shown = [(row.detail, often, last.at.minute) for row, often, last in folded([line("opened", {}), *rows])]
    assert shown == [("Not yours.", 1, 0), ("Not yours: 19.", 20, 19)]
    assert len(list(folded(rows[:2]))) == 2


def test_what_was_not_checked_so_is_not_shown() -> None:
    assert refusals([line("answer_refused", {"answer": "a1"}), line("noticed", {"check 1: x": "passed: y"})]) == []


def test_what_a_sender_wrote_is_no_markup() -> None:
    proof = {"check 1: one sender": "FAILED: [red]grace[/red]@example.test"}
    assert printed([line("answer_refused", proof)])[1] == "✗ one sender [red]grace[/red]@example.test"
