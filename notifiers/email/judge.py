"""Whether a reply decides: one ordered table of small checks, each with its reason for people.

Pure: what only the outside knows (whether the mail is authentic, whose address and whose token it carries, how the
request stands) comes in as `Facts`. The first check that fails says why; all of them are kept for whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from pydantic import ConfigDict

from countersign.models import Model, SentAsWords
from notifiers.email.judge_rules import (
    ANSWERS,
    BY_A_PERSON,
    COMMENT_RULES,
    ONE_ANSWER,
    RULES,
    UNDO_RULES,
    AnswerBack,
    Facts,
    Rule,
    wants_undone,
)
from notifiers.email.reply import Reply
from notifiers.email.token import Kind, kind_said

__all__ = ["RULES", "UNDO_RULES", "Check", "Facts", "Judged", "judge", "whose_token"]

# (token, approval id, level, person id) -> in which kind of mail the token was sent to them; compares in constant time.
KindOf = Callable[[str, int, int, str], Kind | None]


class Check(Model):
    """One line of the table as it came out for a mail."""

    name: str
    saw: str
    passed: bool
    reason: str


class Judged(Model):
    """What becomes of a mail: an answer to judge, a wish to undo, a comment, or a message for its sender.

    Where it `inquires`, its text is also passed on to the requester, as far as the engine allows that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    decides: bool
    undoes: bool = False  # it is no answer, but ends what was asked for or approved
    comments: bool = False  # nor is this one: it is what the requester says, for those who are asked
    inquires: bool = False
    person: str = ""
    verdict: Literal["approve", "reject", "none"] = "none"
    approval_id: int | None = None
    level: int | None = None
    comment: str = ""
    code: str
    message: SentAsWords
    answer_back: AnswerBack = "none"
    checks: list[Check]


def whose_token(reply: Reply, people: Iterable[str], kind_of: KindOf) -> tuple[str, Kind]:
    """The id of the person the reply's token was made for, of those who may have got one, and in which kind of mail.

    "" where it was made for none of them. Earlier versions put the same token in all their mails: what a mail was then
    is said by its Message-ID.
    """
    if reply.ids is not None:
        approval_id, level, token = reply.ids
        for person in people:
            if kind := kind_of(token, approval_id, level, person):
                replied_to = reply.answers[0] if reply.answers else ""
                return person, kind_said(replied_to, kind) if kind == "answer" else kind
    return "", "answer"


def judge(reply: Reply, facts: Facts) -> Judged:
    """Judge one reply. The first rule that fails decides the message; the later ones are still shown."""
    undoes = wants_undone(reply, facts)
    comments = facts.mail_kind == "comment" and not undoes
    rules = UNDO_RULES if undoes else COMMENT_RULES if comments else RULES
    failing = [rule for rule in rules if not rule.passes(reply, facts)]
    failed = failing[0] if failing else None
    checks = [
        Check(name=rule.name, saw=rule.saw(reply, facts), passed=rule not in failing,
              reason=rule.reason(reply, facts) if rule in failing else "")
        for rule in rules
    ]  # fmt: skip
    about = {"person": facts.person, "approval_id": reply.approval_id, "level": reply.level, "checks": checks}
    if failed:
        code = reply.code if failed.reads else failed.name.replace(" ", "_")
        said: dict[str, object] = {
            "code": code,
            "message": failed.reason(reply, facts),
            "answer_back": _back(failed, reply, facts),
            "inquires": reply.asks and failed in (ONE_ANSWER, ANSWERS),
        }
    elif undoes:
        said = {"undoes": True, "code": "undo", "message": "The mail asks to undo it."}
    elif comments:
        message = "The mail is a comment for those who are asked."
        said = {"comments": True, "comment": reply.text, "code": "comment", "message": message}
    else:
        message = f"The mail says {reply.verdict}."
        said = {"verdict": reply.verdict, "comment": reply.comment, "code": "answer", "message": message}
    return Judged.model_validate({"decides": failed is None, **said, **about})


def _back(failed: Rule, reply: Reply, facts: Facts) -> AnswerBack:
    """Whom nothing ties to this mail is not written to: its From may be anybody's, and a token somebody else's.

    Nor is a machine that says it is one (RFC 3834). But a subject alone may be a person's: they hear why.
    """
    if not facts.person or (not facts.authentic.passed and facts.token_of != facts.person):
        return "none"
    if failed is BY_A_PERSON and reply.guessed and facts.authentic.passed:
        return "help"
    return failed.back
