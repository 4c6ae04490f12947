"""The checks that a reply has to pass, in their order: each says what it looks at, and why a mail fails it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from countersign.models import Model, Status
from notifiers.email.authenticity import Authentic
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
    why_not: Look | str
    back: AnswerBack = "help"
    reads: bool = False  # whether it is about what the mail itself says, whose code and message the reader gives

    def reason(self, reply: Reply, facts: Facts) -> str:
        """What is said of a mail that fails it."""
        return self.why_not if isinstance(self.why_not, str) else self.why_not(reply, facts)


def _is_ours(recipient: str, addresses: Iterable[str]) -> bool:
    """Whether an address, folded, is one of ours, with a tag or without."""
    user, _, host = recipient.rpartition("@")
    ours = (address.lower().rpartition("@") for address in addresses)
    return any(host == its_host and (user == its or user.startswith(f"{its}+")) for its, _, its_host in ours)


def _written_to(reply: Reply, facts: Facts) -> str:
    shown = [one for one in reply.recipients if _is_ours(one, facts.addresses)] or reply.recipients
    return masked(", ".join(shown[:3])) or "to nobody"


def _replies_to_ours(reply: Reply, facts: Facts) -> bool:
    """Whether the mail that it replies to, where it says so, is one of ours about this request."""
    ids = in_message_id(reply.answers[0]) if reply.answers else None
    return not reply.answers or (ids is not None and ids.approval_id == reply.approval_id)


def wants_undone(reply: Reply, facts: Facts) -> bool:
    """Whether a reply to a mail of what can be undone, or to one that asks the requester something, asks for that."""
    return facts.mail_kind in ("undo", "comment") and reply.asks_to_undo


def _reads(name: str, *codes: str, back: AnswerBack = "help") -> Rule:
    """A check that the reader has made: it fails for mails that came out with one of these codes."""
    return Rule(
        name,
        lambda reply, facts: reply.code if reply.code in codes else "nothing against it",
        lambda reply, facts: reply.code not in codes,
        lambda reply, facts: reply.reason,
        back,
        reads=True,
    )


_COPY = "answer from the mail that was sent to you, which carries your own reply address"

BY_A_PERSON = _reads("by a person", "auto_reply", "bounce", "receipt", "list", "loop", "calendar", back="none")
_MALFORMED = ("malformed", "too_large", "too_many_headers", "too_many_parts", "repeated_header", "broken")
# "written to us": who sees a reply knows its token. What says that this mail is an answer must be its sender's own
# words, in what a signature covers; else any "Yes" that an approver ever wrote could be sent to us anew, with a token
# put on it. "replies to ours": To and Subject may be somebody else's choice, as in a mail they wrote with a Reply-To
# of ours.
_OF_ANY_REPLY = [
    _reads("well formed", *_MALFORMED),
    BY_A_PERSON,
    Rule("one sender",
         lambda reply, facts: reply.sender or "no one From address",
         lambda reply, facts: bool(reply.sender),
         "The mail doesn't come from exactly one address.", "none"),
    Rule("known sender",
         lambda reply, facts: facts.person or "a stranger",
         lambda reply, facts: bool(facts.person),
         lambda reply, facts: f"Nobody in the directory has the address {reply.sender}.", "none"),
    Rule("authentic",
         lambda reply, facts: facts.authentic.how,
         lambda reply, facts: facts.authentic.passed,
         lambda reply, facts: f"It is not proven that {reply.sender} sent the mail: {facts.authentic.how}.", "refusal"),
    Rule("names one request",
         lambda reply, facts: f"#{reply.approval_id}" if reply.ids else f"{reply.tokens_found} tokens",
         lambda reply, facts: reply.ids is not None,
         f"The mail doesn't say which request it answers: {_COPY}."),
    Rule("own copy",
         lambda reply, facts: f"a token of {facts.token_of}" if facts.token_of else "a token of nobody",
         lambda reply, facts: bool(facts.person) and facts.token_of == facts.person,
         f"The mail answers a copy that was not sent to you. If you are an approver, {_COPY}.", "refusal"),
    Rule("written to us",
         _written_to,
         lambda reply, facts: any(_is_ours(one, facts.addresses) for one in reply.recipients),
         f"The mail was not written to our own address, which an answer has in To: {_COPY}."),
    Rule("subject names it",
         lambda reply, facts: reply.subject[:200] or "no subject",
         lambda reply, facts: in_subject(reply.subject) == reply.approval_id,
         lambda reply, facts: f"The subject of the mail doesn't name #{reply.approval_id}: reply with the subject left "
                              "as it is."),
    Rule("replies to ours",
         lambda reply, facts: masked(reply.answers[0])[:200] if reply.answers else "says none",
         _replies_to_ours,
         lambda reply, facts: f"The mail replies to one that is none of ours about #{reply.approval_id}: {_COPY}."),
    _reads("sent by themselves", "sent_by_another", "resent"),
    _reads("not forwarded", "forwarded"),
    _reads("has text", "encrypted", "tnef", "no_text", "unknown_alternative", "empty"),
    _reads("nothing disguised", "disguised"),
]  # fmt: skip
ONE_ANSWER = _reads("one answer only", "bodies_differ", "both")
ANSWERS = Rule(
    "answers plainly",
    lambda reply, facts: reply.verdict,
    lambda reply, facts: reply.verdict != "none",
    lambda reply, facts: reply.reason,
    reads=True,
)
RULES = [
    *_OF_ANY_REPLY,
    ONE_ANSWER,
    ANSWERS,
    Rule("says it in full",
         lambda reply, facts: reply.line or "no line",
         lambda reply, facts: reply.verdict == "none" or facts.mail_kind != "help" or reply.explicit,
         "The mail answers one that only said why a reply did not count, where a short word may mean that you have "
         "seen it. To answer the request, write APPROVE or REJECT as the first line."),
    Rule("still waiting",
         lambda reply, facts: facts.status.value if facts.status else "left to the request",
         lambda reply, facts: facts.status in (None, Status.WAITING),
         lambda reply, facts: facts.outcome or "The request is not waiting for an answer any more.", "refusal"),
    Rule("this level",
         lambda reply, facts: f"level {reply.level}, asked now: {facts.level or 'any'}",
         lambda reply, facts: facts.level is None or reply.level == facts.level,
         "The mail answers an earlier step of the request, which has been taken.", "refusal"),
    Rule("asked for",
         lambda reply, facts: f"a reply to a mail of the kind {facts.mail_kind}",
         lambda reply, facts: facts.mail_kind != "undo",
         f"The mail replies to one that asks for no answer: {_COPY}."),
]  # fmt: skip
# A reply that asks to end what was asked for or approved. Whether there is anything to end the engine says.
UNDO_RULES = [
    *_OF_ANY_REPLY,
    ONE_ANSWER,
    Rule("asks to undo",
         lambda reply, facts: reply.line, wants_undone, lambda reply, facts: reply.reason, reads=True),
]  # fmt: skip
# The requester's reply to a mail that asks them something. Whether it is passed on the engine says.
COMMENT_RULES = [
    *_OF_ANY_REPLY,
    Rule("holds a comment",
         lambda reply, facts: reply.text[:200] or "no text",
         lambda reply, facts: bool(reply.text),
         lambda reply, facts: reply.reason, reads=True),
]  # fmt: skip
