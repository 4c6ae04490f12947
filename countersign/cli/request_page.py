"""One request as a page: the facts, who is asked at which level, what they said, the grant, the timeline."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from countersign.cli import times
from countersign.cli.refusals import refusals
from countersign.cli.repeats import folded
from countersign.cli.tables import grid, indented, labelled, mark
from countersign.kinds import title_of
from countersign.models import Decision, Detail, GrantStatus, GrantView, Status, Verdict
from countersign.times import duration
from countersign.views import ApproverView, AuditEventView, RequestView

STYLES: dict[str, str] = {
    Status.WAITING: "yellow",
    Status.APPROVED: "green",
    Status.REJECTED: "red",
    Status.EXPIRED: "magenta",
    Status.CANCELLED: "bright_black",
    GrantStatus.ACTIVE: "green",
    GrantStatus.ENDED: "bright_black",
    GrantStatus.REVOKED: "red",
}
AVAILABILITY = {"away": "out of office", "unreachable": "can't be reached", "disabled": "disabled"}
VERDICTS = {Verdict.APPROVE: "approved", Verdict.REJECT: "rejected"}


def page(view: RequestView, timeline: Iterable[AuditEventView], at: datetime, *, whole: bool = False) -> RenderableType:
    """Everything that is known about one request.

    Without `whole`, repeated rows are shown as one, and of a mail's checks only those that failed.
    """
    parts = [
        headline(view, at),
        who_and_what(view),
        Text(),
        labelled(_each_fact(view, at)),
        *_details(view),
        *_levels(view, at),
    ]
    rows = list(timeline)
    if rows:
        parts += [Text(), Text("Timeline", style="bold"), indented(timeline_table(rows, at, whole=whole))]
    if refused := refusals(rows, whole=whole):
        parts += [Text(), Text("Why answers did not count", style="bold"), *map(indented, refused)]
    return Group(*parts)


def short(view: RequestView, at: datetime) -> RenderableType:
    """A request in a few lines."""
    parts: list[RenderableType] = [headline(view, at), indented(who_and_what(view))]
    if view.grant is not None:
        parts.append(indented(Text("Grant: ") + grant_text(view.grant, at)))
    if view.status is Status.WAITING:
        parts += level_now(view, at)
    return Group(*parts)


def headline(view: RequestView, at: datetime) -> Text:
    """Number and status, and the time left or how it ended."""
    status = shown_status(view)
    text = Text.assemble((f"#{view.approval_id}", "bold"), " ", (status, f"bold {STYLES[status]}"))
    if view.status is Status.WAITING:
        return text.append(f", expires {times.ahead(view.deadline, at)}")
    message = view.grant.message if view.grant and view.grant.ended_early else view.message
    return text.append(f"  {_line(message)}" if message else "")


def shown_status(view: RequestView) -> str:
    """The request's status; `Revoked` or `Ended` if its grant was revoked or given back."""
    return view.grant.status if view.grant and view.grant.ended_early else view.status


def name_of(view: RequestView, person: str) -> str:
    """The name of somebody in a request; their id if the request has no name for them."""
    names = {one.person: one.name for one in view.approvers} | {view.question.requester: view.requester_name}
    return _line(names.get(person, "")) or person


def who_and_what(view: RequestView) -> Text:
    """`Alice Ainsworth to db-1 by ssh`."""
    return Text.assemble(name_of(view, view.question.requester), " to ", (title_of(view.question), "bold"))


def level_now(view: RequestView, at: datetime) -> list[RenderableType]:
    """The current level of a request, and its people; nothing before the first."""
    level = view.level
    return [indented(level_line(view, level)), indented(people(view, level, at), 4)] if level else []


def level_line(view: RequestView, level: int) -> Text:
    """`Level 1 of 2` and how many approvals it has."""
    text = Text.assemble((f"Level {level} of {view.levels}: ", "bold"))
    if level < view.level or view.status is Status.APPROVED:
        return text.append("passed", style="green")
    if level > view.level:
        return text.append("not started", style="bright_black")
    counting = [d for d in view.decisions if d.level == level and not d.lapsed]
    approved = {d.person for d in counting if d.verdict is Verdict.APPROVE}
    return text.append(f"{len(approved)} of {view.quorum} approved")


def people(view: RequestView, level: int, at: datetime) -> Table:
    """Who was asked at this level, and what they said."""
    table = grid(3)
    decisions = [d for d in view.decisions if d.level == level]
    asked = [one for one in view.approvers if one.level == level]
    for one in asked:
        own = [d for d in decisions if d.person == one.person]
        cell = _answers(own, at) if own else _silence(view, one)
        table.add_row(_mark(own, view), _approver_cell(one), cell)
    for decision in decisions:
        if decision.person not in {one.person for one in asked}:
            name = Text(name_of(view, decision.person))
            table.add_row(mark(decision.verdict is Verdict.APPROVE), name, _answers([decision], at))
    return table


def timeline_table(
    rows: Iterable[AuditEventView], at: datetime, *, numbered: bool = False, whole: bool = True
) -> Table:
    """Rows of the record as a table; `numbered` shows which request each is about.

    Without `whole`, what somebody repeated is one row, with how often and until when.
    """
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bright_black")
    if numbered:
        table.add_column(no_wrap=True, min_width=5)
    table.add_column(no_wrap=True, min_width=13)
    table.add_column(overflow="fold")
    for row, often, last in folded(rows, whole=whole):
        number = [Text(f"#{row.approval_id}" if row.approval_id else "", style="bold")] if numbered else []
        again = f" ({often} times, until {times.clock(last.at, at, seconds=True)})" if often > 1 else ""
        what = _what_happened(row).append(again, style="bright_black")
        table.add_row(times.clock(row.at, at, seconds=True), *number, row.kind.replace("_", " "), what)
    return table


def grant_text(grant: GrantView, at: datetime) -> Text:
    """Until when somebody may connect, or how that ended."""
    ends = times.clock(grant.ends_at, at, zone=True)
    text = Text.assemble((grant.status, STYLES[grant.status]))
    if grant.status is not GrantStatus.ACTIVE:
        if ended := ended_at(grant):
            text.append(f" {times.clock(ended, at, zone=True)}, {times.ago(ended, at)}")
        return text.append(f"; it would have lasted until {ends}" if grant.ended_early else "")
    text.append(f" until {ends}, {times.ahead(grant.ends_at, at)}")
    return text.append(f", from {grant.source_address} only" if grant.source_address else "")


def ended_at(grant: GrantView) -> datetime | None:
    """When a grant ended or was revoked, if that is known."""
    return grant.ended_at or (None if grant.status is GrantStatus.REVOKED else grant.ends_at)


def _details(view: RequestView) -> Iterator[RenderableType]:
    """The table of the question's details, each with its value before; those that changed come first."""
    if details := sorted(view.question.details, key=lambda one: one.before is None):
        yield Text()
        yield labelled((one.label, _value(one)) for one in details)


def _value(one: Detail) -> Text:
    return Text.assemble(one.value, (f"  was: {one.before}", "yellow") if one.before is not None else "")


def _each_fact(view: RequestView, at: datetime) -> Iterator[tuple[str, Text]]:
    question = view.question
    for label, value in (("Reason", question.reason), ("Ticket", question.ticket), ("From", question.source_address)):
        if value:
            yield label, Text(value)
    if view.goes_on_after is not None:
        yield "Goes on", Text(f"after #{view.renews}, {times.clock(view.goes_on_after, at, zone=True)}")
    asker = f" by {_line(view.asked_by_name)} for them" if view.asked_by not in ("", question.requester) else ""
    yield "Asked", Text(f"{times.clock(view.opened_at, at, zone=True)}, {times.ago(view.opened_at, at)}{asker}")
    if view.settled_at is None:
        yield "Decide by", Text(f"{times.clock(view.deadline, at, zone=True)}, {times.ahead(view.deadline, at)}")
    else:
        yield "Settled", Text(f"{times.clock(view.settled_at, at, zone=True)}, {times.ago(view.settled_at, at)}")
    if view.grant is not None:
        yield "Grant", grant_text(view.grant, at)
    elif view.status is Status.WAITING and view.grant_lasts:
        yield "Grant", Text(f"{duration(view.grant_lasts)}, from the approval on")
    if view.because:
        yield "Rule", Text(view.because)


def _levels(view: RequestView, at: datetime) -> Iterator[RenderableType]:
    for level in range(1, view.levels + 1):
        if level > view.level and view.status is not Status.WAITING:
            return
        yield Text()
        yield level_line(view, level)
        yield indented(people(view, level, at))


def _mark(decisions: list[Decision], view: RequestView) -> Text:
    if decisions and not decisions[-1].lapsed:
        return mark(decisions[-1].verdict is Verdict.APPROVE)
    return Text("…" if view.status is Status.WAITING else "·", style="bright_black")


def _approver_cell(one: ApproverView) -> Text:
    return Text(_line(one.name) or one.person).append(f"\n{one.because}" if one.because else "", style="bright_black")


def _silence(view: RequestView, one: ApproverView) -> Text:
    """Why somebody has not answered, as far as that is known."""
    if one.level != view.level or view.status not in {Status.WAITING, Status.EXPIRED}:
        return Text("not needed" if view.status is not Status.WAITING else "", "bright_black")
    if one.availability:
        return Text(AVAILABILITY[one.availability], "bright_black")
    if not one.told:
        return Text("not told yet", "yellow")
    return Text("told, no answer yet" if view.status is Status.WAITING else "did not answer", "bright_black")


def _answers(decisions: list[Decision], at: datetime) -> Text:
    return Text("\n").join(
        Text.assemble(
            f"{VERDICTS[d.verdict]} {times.clock(d.at, at)}",
            f" by {d.channel}" if d.channel else "",
            (f"\n{d.comment}" if d.comment else "", "italic"),
            ("\nno longer counts, as they were disabled" if d.lapsed else "", "bright_black"),
        )
        for d in decisions
    )


def _what_happened(row: AuditEventView) -> Text:
    name = _line(row.name) or row.who
    who = f"{name} by {row.channel}" if row.channel and name else name or row.channel
    # The detail of `noticed`: who was sent a notification, and about which event.
    detail = row.detail.replace("_", " ") if row.kind == "noticed" else row.detail
    return Text(f"{who}: {detail}" if detail and who else who or detail)


def _line(text: str) -> str:
    return " ".join(text.split())
