"""Whether a reply decides: one ordered table of small checks, each with its reason for people.

Pure: what only the outside knows (whether the mail is authentic, whose address and whose token it carries, how the
request stands) comes in as `Facts`. The first check that fails says why; all of them are kept for whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from pydantic import ConfigDict

from countersign.models import Model, Status
from notifiers.email.authenticity import Authentic
from notifiers.email.reply import Reply

AnswerBack = Literal["none", "help", "refusal"]
# (token, approval id, level, person id) -> whether the token was made for them; compares in constant time.
Names = Callable[[str, int, int, str], bool]


class Facts(Model):
    """What the outside knows of a mail."""

    authentic: Authentic
    person: str = ""  # the id of who has the From address and is enabled, "" for a stranger
    token_of: str = ""  # the id of whom the token was made for, "" where it is nobody's
    status: Status | None = None  # of the request the token names; None leaves that to the request itself
    outcome: str = ""  # how the request ended, in words, once it has
    level: int | None = None  # the level that is being asked now; None leaves that to the request itself


class Check(Model):
    """One line of the table as it came out for a mail."""

    name: str
    saw: str
    passed: bool
    reason: str


class Judged(Model):
    """What becomes of a mail: an answer for the request to judge, or words for its sender."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    decides: bool
    person: str = ""
    verdict: Literal["approve", "reject", "none"] = "none"
    approval_id: int | None = None
    level: int | None = None
    comment: str = ""
    code: str
    words: str
    answer_back: AnswerBack = "none"
    checks: list[Check]


class _Rule(Model):
    """One check: what it is called, what it looks at, whether that is right, what is said if not, and to whom."""

    name: str
    saw: Callable[[Reply, Facts], str]
    passes: Callable[[Reply, Facts], bool]
    reason: Callable[[Reply, Facts], str]
    back: AnswerBack


def whose_token(reply: Reply, people: Iterable[str], names: Names) -> str:
    """The id of the person the reply's token was made for, of those who may have got one; else ""."""
    ids = reply.ids
    if ids is None:
        return ""
    approval_id, level, token = ids
    return next((person for person in people if names(token, approval_id, level, person)), "")


def judge(reply: Reply, facts: Facts) -> Judged:
    """Judge one reply. The first rule that fails decides the words; the later ones are still shown."""
    checks = [_check(rule, reply, facts) for rule in RULES]
    failed = next((rule for rule, check in zip(RULES, checks, strict=True) if not check.passed), None)
    about = {"person": facts.person, "approval_id": reply.approval_id, "level": reply.level, "checks": checks}
    if failed is None:
        return Judged.model_validate(
            {"decides": True, "verdict": reply.verdict, "comment": reply.comment, "code": "answer", **about}
            | {"words": f"The mail says {reply.verdict}."}
        )
    code = (
        reply.code
        if failed.name in ("by a person", "can be read", "answers plainly")
        else failed.name.replace(" ", "_")
    )
    words = failed.reason(reply, facts)
    return Judged.model_validate(
        {"decides": False, "code": code, "words": words, "answer_back": _back(failed, facts), **about}
    )


def _back(failed: _Rule, facts: Facts) -> AnswerBack:
    """Whom nothing ties to this mail is not written to: its From may be anybody's."""
    if not facts.person or (not facts.authentic.passed and not facts.token_of):
        return "none"
    return failed.back


def _check(rule: _Rule, reply: Reply, facts: Facts) -> Check:
    passed = rule.passes(reply, facts)
    return Check(
        name=rule.name, saw=rule.saw(reply, facts), passed=passed, reason="" if passed else rule.reason(reply, facts)
    )


def _says(words: str) -> Callable[[Reply, Facts], str]:
    return lambda reply, facts: words


_BY_MACHINES = ("auto_reply", "bounce", "receipt", "list", "loop", "calendar")
_COPY = "answer from the mail that was sent to you, which carries your own reply address"

RULES = [
    _Rule(
        name="by a person",
        saw=lambda reply, facts: reply.kind,
        passes=lambda reply, facts: reply.kind not in _BY_MACHINES,
        reason=lambda reply, facts: reply.reason,
        back="none",
    ),
    _Rule(
        name="one sender",
        saw=lambda reply, facts: reply.sender or "no one From address",
        passes=lambda reply, facts: bool(reply.sender),
        reason=_says("The mail doesn't come from exactly one address."),
        back="none",
    ),
    _Rule(
        name="authentic",
        saw=lambda reply, facts: facts.authentic.how,
        passes=lambda reply, facts: facts.authentic.passed,
        reason=lambda reply, facts: f"It is not proven that {reply.sender} sent the mail: {facts.authentic.how}.",
        back="refusal",
    ),
    _Rule(
        name="known sender",
        saw=lambda reply, facts: facts.person or "a stranger",
        passes=lambda reply, facts: bool(facts.person),
        reason=lambda reply, facts: f"Nobody in the directory has the address {reply.sender}.",
        back="none",
    ),
    _Rule(
        name="names one request",
        saw=lambda reply, facts: f"#{reply.approval_id}" if reply.ids else f"{reply.tokens_found} tokens",
        passes=lambda reply, facts: reply.ids is not None,
        reason=_says(f"The mail doesn't say which request it answers: {_COPY}."),
        back="help",
    ),
    _Rule(
        name="own copy",
        saw=lambda reply, facts: f"a token of {facts.token_of}" if facts.token_of else "a token of nobody",
        passes=lambda reply, facts: bool(facts.person) and facts.token_of == facts.person,
        reason=_says(f"The mail answers a copy that was not sent to you. If you are an approver, {_COPY}."),
        back="refusal",
    ),
    _Rule(
        name="can be read",
        saw=lambda reply, facts: reply.kind,
        passes=lambda reply, facts: reply.kind == "reply",
        reason=lambda reply, facts: reply.reason,
        back="help",
    ),
    _Rule(
        name="answers plainly",
        saw=lambda reply, facts: reply.verdict,
        passes=lambda reply, facts: reply.verdict != "none",
        reason=lambda reply, facts: reply.reason,
        back="help",
    ),
    _Rule(
        name="still waiting",
        saw=lambda reply, facts: facts.status.value if facts.status else "left to the request",
        passes=lambda reply, facts: facts.status in (None, Status.WAITING),
        reason=lambda reply, facts: facts.outcome or "The request is not waiting for an answer any more.",
        back="refusal",
    ),
    _Rule(
        name="this level",
        saw=lambda reply, facts: f"level {reply.level}, asked now: {facts.level or 'any'}",
        passes=lambda reply, facts: facts.level is None or reply.level == facts.level,
        reason=_says("The mail answers an earlier step of the request, which has been taken."),
        back="refusal",
    ),
]
