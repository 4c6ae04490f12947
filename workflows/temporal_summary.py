"""What Temporal's own lists and pages show of a request."""

import re
from collections.abc import Iterable, Mapping
from itertools import accumulate

from temporalio import workflow

from workflows import search_attributes

with workflow.unsafe.imports_passed_through():
    from countersign.ballot import Ballot
    from countersign.models import Question

# Temporal refuses a search attribute of more than 2048 bytes in JSON, and with it the whole task, again and again.
LARGEST_VALUE = 2000
# How many names are shown of the people whose answer is awaited.
MOST_NAMES = 10
# Characters that Markdown may interpret (https://spec.commonmark.org/0.31.2/#backslash-escapes).
MARKUP = re.compile(r"[\\`*_{}\[\]()<>#+!|~&-]")


def show(ballot: Ballot, question: Question, asked: Iterable[str], names: Mapping[str, str]) -> None:
    """Bring the search attributes and the details of this run up to date."""
    workflow.upsert_search_attributes(
        [
            search_attributes.STATUS.value_set(ballot.status),
            search_attributes.REQUESTER.value_set(question.requester),
            search_attributes.TARGET.value_set(question.subject.target),
            search_attributes.APPROVERS.value_set(sorted(_that_fit(asked))),
        ]
    )
    workflow.set_current_details(details(ballot, question, names))


def _that_fit(asked: Iterable[str]) -> list[str]:
    """As many as fit, those asked first; ids are ASCII, and each takes two quotes, a comma and a space more."""
    people = list(asked)
    sizes = accumulate(len(one) + 4 for one in people)
    return [one for one, size in zip(people, sizes, strict=True) if size <= LARGEST_VALUE]


def details(ballot: Ballot, question: Question, names: Mapping[str, str]) -> str:
    """What Temporal's page of a run shows, in Markdown: the status, the question, and the answers that counted."""
    answers = "".join(
        f"\n- {plain(_name(one.person, names))}: {one.verdict} (level {one.level}, by {one.channel})"
        for one in ballot.decisions
    )
    return (
        f"**#{ballot.approval_id}: {_status(ballot, names)}**\n\n"
        f"{question.requester} asks for {plain(str(question.subject))}, "
        f"until {ballot.deadline:%Y-%m-%d %H:%M:%S} UTC{answers}"
    )


def _status(ballot: Ballot, names: Mapping[str, str]) -> str:
    if ballot.settled:
        return plain(f"{ballot.status}. {ballot.message}")
    awaited = [_name(one, names) for one in ballot.awaited]
    people = plain(", ".join(awaited[:MOST_NAMES])) or "nobody"
    more = f" and {len(awaited) - MOST_NAMES} more" if len(awaited) > MOST_NAMES else ""
    return f"Waits for {people}{more}, level {ballot.level} of {len(ballot.levels)}"


def plain(text: str) -> str:
    """People's own text as Markdown that shows it literally, on one line."""
    return MARKUP.sub(r"\\\g<0>", " ".join(text.split()))


def _name(person: str, names: Mapping[str, str]) -> str:
    return names.get(person) or person
