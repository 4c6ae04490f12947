"""Shows what somebody did repeatedly as one row, so that twenty refused replies don't hide what else happened."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from countersign.views import AuditEventView

# Fewer repeats than this are shown one by one.
FOLDED_FROM = 3
# Rows of these kinds count as repeats even if their details differ.
SAID_ANEW = {"answer_refused", "asked_again"}

# The row to show, how many rows it stands for, and the last of them.
Shown = tuple[AuditEventView, int, AuditEventView]


def folded(rows: Iterable[AuditEventView], *, whole: bool = False) -> Iterator[Shown]:
    """The rows, repeats as one, at the place of the first and with the detail of the last; `whole`: each by itself."""
    groups: dict[tuple[str, ...], list[AuditEventView]] = defaultdict(list)
    for row in rows:
        groups[_key(row)].append(row)
    for row in rows:
        its = groups[_key(row)]
        if whole or len(its) < FOLDED_FROM:
            yield row, 1, row
        elif row is its[0]:
            yield row.model_copy(update={"detail": its[-1].detail, "proof": its[-1].proof}), len(its), its[-1]


def _key(row: AuditEventView) -> tuple[str, ...]:
    detail = "" if row.kind in SAID_ANEW else row.detail
    return str(row.approval_id), row.kind, row.who, row.channel, detail
