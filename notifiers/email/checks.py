"""Whether a reply decides: one ordered table of checks, each with what it saw and, for people, why a mail fails it.

Pure: what the mail alone doesn't show (whether it is authentic, whose address and whose token it carries, the status of
the request) comes in as `Facts`. The first check that fails gives the reason; the results of all are kept to be shown.
"""

import re
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from pydantic import ConfigDict

from countersign import http_answers
from countersign.http_answers import Check
from countersign.models import Model, Status
from notifiers.email.authenticity import Authentic
from notifiers.email.reply import REASONS, Reply
from notifiers.email.token import Kind, in_message_id, in_subject, kind_said, masked

AnswerBack = Literal["none", "help", "refusal"]
# (token, approval id, level, person id) -> in which kind of mail the token was sent to them; compares in constant time.
KindOf = Callable[[str, int, int, str], Kind | None]


class Facts(Model):
    """What must be known about a mail besides what it says."""

    authentic: Authentic
    addresses: list[str] = []  # ours, without tags: a reply is written to one of them
    person: str = ""  # the id of the person with the From address, "" for a stranger
    token_of: str = ""  # the id of the person the token was made for, "" if it is nobody's
    mail_kind: Kind = "answer"  # the kind of mail the token was sent in
    status: Status | None = None  # of the request the token names; None leaves that to the request itself
    outcome: str = ""  # how the request ended, once it has


class CheckedReply(http_answers.CheckedReply):
    """What becomes of a mail: an answer to judge, a cancellation or revocation, a comment, or a message for its sender.

    If it `inquires`, its text is also passed on to the requester, if the engine allows that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Literal["approve", "reject", "none"] = "none"
    undoes: bool = False  # not an answer: it ends what was asked for or approved
    comments: bool = False  # not an answer either: a comment by the requester for those who are asked
    inquires: bool = False
    code: str
    answer_back: AnswerBack = "none"


class Rule(NamedTuple):
    """One check of a mail: its name, what it saw and whether the mail passed, and how to answer a mail that failed.

    `refusals.toml` has the reason under that name. If the check `reads` the text of the mail, code and reason come from
    the reader.
    """

    name: str
    check: Callable[[Reply, Facts], tuple[str, bool]]
    answer_back: AnswerBack = "help"
    reads: bool = False

    @property
    def code(self) -> str:
        """The name as a key."""
        return self.name.replace(" ", "_")

    def why(self, reply: Reply, facts: Facts) -> str:
        """Why a mail fails this check."""
        if self.reads:
            return reply.reason
        reason = REASONS[self.code].format(reply=reply, authentic=facts.authentic.how, copy=REASONS["own_mail"])
        return facts.outcome or reason if self.name == "still waiting" else reason


def _reads(name: str, *codes: str, answer_back: AnswerBack = "help") -> Rule:
    """A check made by the reader: it fails for mails that the reader gave one of these codes."""
    saw = {code: (code, False) for code in codes}
    return Rule(name, lambda reply, facts: saw.get(reply.code, ("nothing against it", True)), answer_back, reads=True)


def _written_to_us(reply: Reply, facts: Facts) -> tuple[str, bool]:
    """Whether To has one of our addresses, with a tag or without."""
    own = (re.escape(address.lower()).rpartition("@") for address in facts.addresses)
    any_own = re.compile("|".join(rf"{user}(?:\+.*)?@{host}" for user, _, host in own) or "(?!)")
    ours = [one for one in reply.recipients if any_own.fullmatch(one)]
    return masked(", ".join((ours or reply.recipients)[:3])) or "to nobody", bool(ours)


def _replies_to_ours(reply: Reply, facts: Facts) -> tuple[str, bool]:
    """Whether the mail that it replies to, if it names one, is one of ours about this request.

    Amazon SES replaces our Message-ID but keeps References: a reply then names our thread beside SES's id.
    """
    saw = masked(reply.answers[0])[:200] if reply.answers else "says none"
    ours = [ids is not None and ids.approval_id == reply.approval_id for ids in map(in_message_id, reply.answers)]
    return saw, not ours or ours[0] or (any(ours) and bool(_BY_SES.fullmatch(reply.answers[0])))


# docs.aws.amazon.com/ses/latest/dg/header-fields.html: SES overrides Message-ID. `email` is its first region's.
_BY_SES = re.compile(r"<[0-9a-f-]{20,120}@(?:email|[a-z]{2}(?:-[a-z]{1,12}){1,3}-\d)\.amazonses\.com>")
BY_A_PERSON = _reads("by a person", "auto_reply", "bounce", "receipt", "list", "loop", "calendar", answer_back="none")
# "written to us": whoever sees a reply knows its token. So what makes a mail an answer must be its sender's own words,
# covered by a signature; else any "Yes" that an approver ever wrote could be sent to us again with a token added.
# "replies to ours": somebody else may have chosen To and Subject, by writing to the sender with a Reply-To of ours.
_OF_ANY_REPLY = [
    _reads("well formed", "malformed", "too_large", "too_many_headers", "too_many_parts", "repeated_header", "broken"),
    BY_A_PERSON,
    Rule("one sender", lambda reply, facts: (reply.sender or "no one From address", bool(reply.sender)), "none"),
    Rule("known sender", lambda reply, facts: (facts.person or "a stranger", bool(facts.person)), "none"),
    Rule("authentic", lambda reply, facts: (facts.authentic.how, facts.authentic.passed), "refusal"),
    Rule("names one request",
         lambda reply, facts: (f"#{reply.approval_id}" if reply.ids else f"{reply.tokens_found} tokens",
                               bool(reply.ids))),
    Rule("own copy",
         lambda reply, facts: (f"a token of {facts.token_of or 'nobody'}", facts.token_of == facts.person != ""),
         "refusal"),
    Rule("written to us", _written_to_us),
    Rule("subject names it",
         lambda reply, facts: (reply.subject[:200] or "no subject", in_subject(reply.subject) == reply.approval_id)),
    Rule("replies to ours", _replies_to_ours),
    _reads("sent by themselves", "sent_by_another", "resent"),
    _reads("not forwarded", "forwarded"),
    _reads("has text", "encrypted", "tnef", "no_text", "unknown_alternative", "empty"),
    _reads("nothing disguised", "disguised"),
]  # fmt: skip
ONE_ANSWER = _reads("one answer only", "bodies_differ", "both")
ANSWERS = Rule("answers plainly", lambda reply, facts: (reply.verdict, reply.verdict != "none"), reads=True)
RULES = [
    *_OF_ANY_REPLY,
    ONE_ANSWER,
    ANSWERS,
    Rule("says it in full",
         lambda reply, facts: (reply.line or "no line",
                               reply.verdict == "none" or facts.mail_kind != "help" or reply.explicit)),
    Rule("still waiting",
         lambda reply, facts: (facts.status.value if facts.status else "left to the request",
                               facts.status in (None, Status.WAITING)), "refusal"),
    Rule("asked for",
         lambda reply, facts: (f"a reply to a mail of the kind {facts.mail_kind}", facts.mail_kind != "undo")),
]  # fmt: skip
# A reply that asks to end what was asked for or approved. The engine knows whether there is anything to end.
UNDO_RULES = [
    *_OF_ANY_REPLY,
    ONE_ANSWER,
    Rule("asks to undo", lambda reply, facts: (reply.line, reply.asks_to_undo), reads=True),
]
# The requester's reply to a mail that asks them something. The engine decides whether it is passed on.
COMMENT_RULES = [
    *_OF_ANY_REPLY,
    Rule("holds a comment", lambda reply, facts: (reply.text[:200] or "no text", bool(reply.text)), reads=True),
]


def whose_token(reply: Reply, people: Iterable[str], kind_of: KindOf) -> tuple[str, Kind]:
    """The id of the one among these people for whom the reply's token was made, and the kind of mail it was sent in.

    "" if it was made for none of them. Earlier versions put the same token in all their mails: for those, the
    Message-ID of the mail replied to tells the kind.
    """
    if reply.ids is not None:
        approval_id, level, token = reply.ids
        for person in people:
            if kind := kind_of(token, approval_id, level, person):
                replied_to = reply.answers[0] if reply.answers else ""
                return person, kind_said(replied_to, kind) if kind == "answer" else kind
    return "", "answer"


def check_reply(reply: Reply, facts: Facts) -> CheckedReply:
    """Check one reply. The first rule that fails decides the message; the later ones are still shown."""
    # Two kinds of mails say what can be undone; in a reply to any other this is an answer gone wrong.
    undoes = facts.mail_kind in ("undo", "comment") and reply.asks_to_undo
    comments = facts.mail_kind == "comment" and not undoes
    rules = UNDO_RULES if undoes else COMMENT_RULES if comments else RULES
    found = [(rule, *rule.check(reply, facts)) for rule in rules]
    checks = [
        Check(name=rule.name, saw=saw, passed=passed, reason="" if passed else rule.why(reply, facts))
        for rule, saw, passed in found
    ]
    about = {"person": facts.person, "approval_id": reply.approval_id, "level": reply.level, "checks": checks}
    if failed := next((rule for rule, _, passed in found if not passed), None):
        code, why = reply.code if failed.reads else failed.code, failed.why(reply, facts)
        inquires = reply.asks and failed in (ONE_ANSWER, ANSWERS)
        result = {"code": code, "message": why, "answer_back": _answer_back(failed, reply, facts), "inquires": inquires}
    elif comments:
        message = "The mail is a comment for those who are asked."
        result = {"comments": True, "comment": reply.text, "code": "comment", "message": message}
    else:
        code = "undo" if undoes else "answer"
        message = "The mail asks to undo it." if undoes else f"The mail says {reply.verdict}."
        verdict, comment = reply.verdict, reply.comment
        result = {"undoes": undoes, "verdict": verdict, "comment": comment, "code": code, "message": message}
    return CheckedReply.model_validate({"decides": failed is None, **result, **about})


def _answer_back(failed: Rule, reply: Reply, facts: Facts) -> AnswerBack:
    """How to answer a mail that failed a check.

    Not at all if nothing proves that the sender has to do with this mail, as its From may be forged and its token
    somebody else's; nor if the mail says that a machine wrote it (RFC 3834). If that is only guessed, as from its
    subject, a person may have written it, and gets help.
    """
    if not facts.person or (not facts.authentic.passed and facts.token_of != facts.person):
        return "none"
    if failed is BY_A_PERSON and reply.guessed and facts.authentic.passed:
        return "help"
    return failed.answer_back
