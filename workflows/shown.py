"""What Temporal's own lists and pages say of a request."""

from collections.abc import Iterable
from itertools import accumulate

from temporalio import workflow

from workflows import search_attributes

with workflow.unsafe.imports_passed_through():
    from countersign.ballot import Ballot
    from countersign.models import Decision, Question
    from countersign.times import moment

# Temporal refuses a search attribute whose JSON has more bytes (2048), and with it the whole task, again and again.
LARGEST_VALUE = 2000


def show(ballot: Ballot, question: Question, asked: Iterable[str]) -> None:
    """Bring the search attributes and the details of this run up to date."""
    workflow.upsert_search_attributes(
        [
            search_attributes.STATUS.value_set(ballot.status),
            search_attributes.REQUESTER.value_set(question.requester),
            search_attributes.DEVICE.value_set(question.device),
            search_attributes.APPROVERS.value_set(sorted(_that_fit(asked))),
        ]
    )
    workflow.set_current_details(_details(ballot, question))


def _that_fit(asked: Iterable[str]) -> list[str]:
    """The people asked first; ids are ASCII, and each has two quotes, a comma and a space."""
    people = list(asked)
    sizes = accumulate(len(one) + 4 for one in people)
    return [one for one, size in zip(people, sizes, strict=True) if size <= LARGEST_VALUE]


def _details(ballot: Ballot, question: Question) -> str:
    answers = "".join(f"\n- {_answer(d)}" for d in ballot.decisions)
    return (
        f"**#{ballot.approval_id}** {question.requester} → {question.device} over {question.protocol}: "
        f"**{ballot.status}** {ballot.words}\n\nlevel {ballot.level} of {len(ballot.levels)}, "
        f"asked: {', '.join(ballot.seats) or 'nobody'}, until {moment(ballot.deadline)}{answers}"
    )


def _answer(decision: Decision) -> str:
    lapsed = ", counts no longer" if decision.lapsed else ""
    return f"{decision.verdict} by **{decision.person}** (level {decision.level}, {decision.channel}{lapsed})"
