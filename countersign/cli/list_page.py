"""A table of requests that can still be read in a narrow terminal."""

from collections.abc import Iterable
from datetime import datetime

from rich.table import Table
from rich.text import Text

from countersign.cli import request_page, times
from countersign.cli.request_page import STYLES, name_of, shown_status
from countersign.cli.tables import listing
from countersign.kinds import title_of
from countersign.models import GrantStatus, Status
from countersign.views import RequestView

# Below the first width the reason is left out, below the second also who is asked.
ROOM_FOR_REASON = 100
ROOM_FOR_PEOPLE = 64
# The width that the other columns take in a wide terminal.
BESIDE_REASON = 90


def page(views: Iterable[RequestView], at: datetime, width: int) -> Table:
    """One row per request."""
    table = listing()
    table.add_column("#", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("requester", overflow="fold", min_width=len("requester"))
    table.add_column("subject", overflow="fold")
    if width >= ROOM_FOR_PEOPLE:
        table.add_column("asked", overflow="fold")
    table.add_column("when", overflow="fold")
    if width >= ROOM_FOR_REASON:
        table.add_column("reason", overflow="ellipsis", no_wrap=True, max_width=width - BESIDE_REASON)
    for view in views:
        question = view.question
        people = [_people(view)] if width >= ROOM_FOR_PEOPLE else []
        reason = [" ".join(question.reason.split())] if width >= ROOM_FOR_REASON else []
        status = Text(shown_status(view), STYLES[shown_status(view)])
        requester = name_of(view, question.requester)
        table.add_row(str(view.approval_id), status, requester, title_of(question), *people, _when(view, at), *reason)
    return table


def _people(view: RequestView) -> str:
    """Whom a request waits for; for a settled one, who decided."""
    if view.status is not Status.WAITING:
        people = list(dict.fromkeys(one.person for one in view.decisions if not one.lapsed))
    else:
        people = [one.person for one in view.awaited]
    return ", ".join(name_of(view, one) for one in people)


def _when(view: RequestView, at: datetime) -> str:
    if view.status is Status.WAITING:
        return times.ahead(view.deadline, at)
    if view.grant is None:
        return times.ago(view.settled_at or view.opened_at, at)
    if view.grant.status is GrantStatus.ACTIVE and view.grant.ends_at > at:
        return f"ends {times.ahead(view.grant.ends_at, at)}"
    ended = request_page.ended_at(view.grant)
    word = "revoked" if view.grant.status is GrantStatus.REVOKED else "ended"
    return f"{word} {times.ago(ended, at)}" if ended else word
