"""The checks that a reply has to pass, in their order: each says what it looks at, and why a mail fails it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from countersign.models import Model, Status
from notifiers.email.authenticity import Authentic
from notifiers.email.plain_words import asks_to_undo, is_plain_answer
from notifiers.email.reply import Reply
from notifiers.email.token import Kind, in_message_id, in_subject, masked

AnswerBack = Literal["none", "help", "refusal"]


class Facts(Model):
    """What the outside knows of a mail."""

    authentic: Authentic
    addresses: list[str] = []  # ours, without tags: a reply is written to one of them
    person: str = ""  # the id of who has the From address and is enabled, "" for a stranger
    token_of: str = ""  # the id of whom the token was made for, "" where it is nobody's
    mail_kind: Kind = "answer"  # in which kind of mail it was sent
    status: Status | None = None  # of the request the token names; None leaves that to the request itself
    outcome: str = ""  # how the request ended, once it has
    level: int | None = None  # the level that is being asked now; None leaves that to the request itself


Look = Callable[[Reply, Facts], str]


class Rule(NamedTuple):
    """One check: what it is called, what it looks at, whether that is right, what is said if not, and to whom."""

    name: str
    saw: Look
    passes: Callable[[Reply, Facts], bool]
    reason: Look
    back: AnswerBack
    reads: bool = False  # whether it is about what the mail itself says, whose code and message the reader gives


def _is_ours(recipient: str, addresses: Iterable[str]) -> bool:
    """Whether an address, folded, is one of ours, with a tag or without."""
    user, _, host = recipient.rpartition("@")
    ours = (address.lower().rpartition("@") for address in addresses)
    return any(host == its_host and (user == its or user.startswith(f"{its}+")) for its, _, its_host in ours)


def _written_to(reply: Reply, facts: Facts) -> str:
    shown = [one for one in reply.recipients if _is_ours(one, facts.addresses)] or reply.recipients
    return masked(", ".join(shown[:3])) or "to nobody"


def _replied_to(reply: Reply, facts: Facts) -> str:
    return masked(reply.answers[0])[:200] if reply.answers else "says none"


def _replies_to_ours(reply: Reply, facts: Facts) -> bool:
    """Whether the mail that it replies to, where it says so, is one of ours about this request."""
    ids = in_message_id(reply.answers[0]) if reply.answers else None
    return not reply.answers or (ids is not None and ids.approval_id == reply.approval_id)


def _is_explicit(reply: Reply, facts: Facts) -> bool:
    return reply.verdict == "none" or facts.mail_kind != "help" or is_plain_answer(reply.line)


def wants_undone(reply: Reply, facts: Facts) -> bool:
    """Whether a reply to a mail of what can be undone asks for that."""
    return facts.mail_kind == "undo" and reply.kind == "reply" and asks_to_undo(reply.line)


def _says(text: str) -> Look:
    return lambda reply, facts: text


def _reads(name: str, back: AnswerBack, *codes: str) -> Rule:
    """A check that the reader has made: it fails for mails that came out with one of these codes."""
    return Rule(
        name,
        saw=lambda reply, facts: reply.code if reply.code in codes else "nothing against it",
        passes=lambda reply, facts: reply.code not in codes,
        reason=lambda reply, facts: reply.reason,
        back=back,
        reads=True,
    )


_COPY = "answer from the mail that was sent to you, which carries your own reply address"

BY_A_PERSON = _reads("by a person", "none", "auto_reply", "bounce", "receipt", "list", "loop", "calendar")
_OF_ANY_REPLY = [
    _reads(
        "well formed",
        "help",
        "malformed",
        "too_large",
        "too_many_headers",
        "too_many_parts",
        "repeated_header",
        "broken",
    ),
    BY_A_PERSON,
    Rule(
        "one sender",
        saw=lambda reply, facts: reply.sender or "no one From address",
        passes=lambda reply, facts: bool(reply.sender),
        reason=_says("The mail doesn't come from exactly one address."),
        back="none",
    ),
    Rule(
        "known sender",
        saw=lambda reply, facts: facts.person or "a stranger",
        passes=lambda reply, facts: bool(facts.person),
        reason=lambda reply, facts: f"Nobody in the directory has the address {reply.sender}.",
        back="none",
    ),
    Rule(
        "authentic",
        saw=lambda reply, facts: facts.authentic.how,
        passes=lambda reply, facts: facts.authentic.passed,
        reason=lambda reply, facts: f"It is not proven that {reply.sender} sent the mail: {facts.authentic.how}.",
        back="refusal",
    ),
    Rule(
        "names one request",
        saw=lambda reply, facts: f"#{reply.approval_id}" if reply.ids else f"{reply.tokens_found} tokens",
        passes=lambda reply, facts: reply.ids is not None,
        reason=_says(f"The mail doesn't say which request it answers: {_COPY}."),
        back="help",
    ),
    Rule(
        "own copy",
        saw=lambda reply, facts: f"a token of {facts.token_of}" if facts.token_of else "a token of nobody",
        passes=lambda reply, facts: bool(facts.person) and facts.token_of == facts.person,
        reason=_says(f"The mail answers a copy that was not sent to you. If you are an approver, {_COPY}."),
        back="refusal",
    ),
    # Who sees a reply knows its token. What says that this mail is an answer must be its sender's own words, in what a
    # signature covers; else any "Yes" that an approver ever wrote could be sent to us anew, with a token put on it.
    Rule(
        "written to us",
        saw=_written_to,
        passes=lambda reply, facts: any(_is_ours(one, facts.addresses) for one in reply.recipients),
        reason=_says(f"The mail was not written to our own address, which an answer has in To: {_COPY}."),
        back="help",
    ),
    Rule(
        "subject names it",
        saw=lambda reply, facts: reply.subject[:200] or "no subject",
        passes=lambda reply, facts: in_subject(reply.subject) == reply.approval_id,
        reason=lambda reply, facts: (
            f"The subject of the mail doesn't name #{reply.approval_id}: reply with the subject left as it is."
        ),
        back="help",
    ),
    # To and Subject may be somebody else's choice, as in a mail that they wrote with a Reply-To of ours.
    Rule(
        "replies to ours",
        saw=_replied_to,
        passes=_replies_to_ours,
        reason=lambda reply, facts: (
            f"The mail replies to one that is none of ours about #{reply.approval_id}: {_COPY}."
        ),
        back="help",
    ),
    _reads("sent by themselves", "help", "sent_by_another", "resent"),
    _reads("not forwarded", "help", "forwarded"),
    _reads("has text", "help", "encrypted", "tnef", "no_text", "unknown_alternative", "empty"),
    _reads("nothing disguised", "help", "disguised"),
    _reads("one answer only", "help", "bodies_differ", "both"),
]
RULES = [
    *_OF_ANY_REPLY,
    Rule(
        "answers plainly",
        saw=lambda reply, facts: reply.verdict,
        passes=lambda reply, facts: reply.verdict != "none",
        reason=lambda reply, facts: reply.reason,
        back="help",
        reads=True,
    ),
    Rule(
        "says it in full",
        saw=lambda reply, facts: reply.line or "no line",
        passes=_is_explicit,
        reason=_says(
            "The mail answers one that only said why a reply did not count, where a short word may mean that you have "
            "seen it. To answer the request, write APPROVE or REJECT as the first line."
        ),
        back="help",
    ),
    Rule(
        "still waiting",
        saw=lambda reply, facts: facts.status.value if facts.status else "left to the request",
        passes=lambda reply, facts: facts.status in (None, Status.WAITING),
        reason=lambda reply, facts: facts.outcome or "The request is not waiting for an answer any more.",
        back="refusal",
    ),
    Rule(
        "this level",
        saw=lambda reply, facts: f"level {reply.level}, asked now: {facts.level or 'any'}",
        passes=lambda reply, facts: facts.level is None or reply.level == facts.level,
        reason=_says("The mail answers an earlier step of the request, which has been taken."),
        back="refusal",
    ),
    Rule(
        "asked for",
        saw=lambda reply, facts: f"a reply to a mail of the kind {facts.mail_kind}",
        passes=lambda reply, facts: facts.mail_kind != "undo",
        reason=_says(f"The mail replies to one that asks for no answer: {_COPY}."),
        back="help",
    ),
]
# A reply that asks to end what was asked for or approved. Whether there is anything to end the engine says.
UNDO_RULES = [
    *_OF_ANY_REPLY,
    Rule(
        "asks to undo",
        saw=lambda reply, facts: reply.line,
        passes=wants_undone,
        reason=lambda reply, facts: reply.reason,
        back="help",
        reads=True,
    ),
]
