"""Read a mail as an answer: `read_reply` is pure, never raises, and takes less than a second for any mail.

It only says what the mail says; `checks` decides whether that counts.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import ConfigDict

from countersign.models import LONGEST_COMMENT, Model, without_controls
from notifiers.email import header_values, limits, machines
from notifiers.email.folding import UNSURE, read_toml
from notifiers.email.grammar.lexicon import CODES, lexicon
from notifiers.email.grammar.segments import Names, words_of_name
from notifiers.email.machines import bounces
from notifiers.email.machines.subjects import kind_by_subject
from notifiers.email.mime.parts import SINGLE, Fields, Part, Unreadable, read_fields, read_parts
from notifiers.email.token import in_subject
from notifiers.email.verdict import Context, read_mail

REASONS: dict[str, str] = read_toml("refusals")  # why a mail decides nothing, by code
ReplyKind = Literal[
    "reply", "auto_reply", "bounce", "receipt", "list", "loop", "calendar", "resent", "forward", "unreadable"
]  # fmt: skip


class Reply(Model):
    """What one mail says. `verdict` is "none" unless the mail alone, whoever sent it, answers plainly."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Literal["approve", "reject", "none"] = "none"
    comment: str = ""  # what the sender wrote after the line that answers
    explicit: bool = False  # that line holds a word that can mean nothing but an answer
    asks_to_undo: bool = False  # not an answer: that line asks to end what was asked for or approved
    line: str = ""  # the first line that says anything, cut to what the record shows
    text: str = ""  # all that its sender wrote, above what is quoted
    asks: bool = False  # `text` is no answer, but may be a question
    code: str = ""  # why there is no verdict, for machines: a key of REASONS or code of Unreadable; else "answer"
    reason: str = ""  # the same, for people
    kind: ReplyKind = "reply"
    sender: str = ""  # the one From address, case-folded; "" where there isn't exactly one
    subject: str = ""
    message_id: str = ""
    recipients: list[str] = []  # the addresses in To, case-folded: to whom its sender wrote
    answers: list[str] = []  # the message ids it says it answers, nearest first
    approval_id: int | None = None
    level: int | None = None
    token: str | None = None
    tokens_found: int = 0  # more than one: its headers name several requests, and none is taken
    failed_recipient: str = ""  # of a bounce: the address that can't be reached, case-folded
    from_mail_server: bool = False  # it has the shape of a server's own mail about delivery
    guessed: bool = False  # that a machine wrote it is only guessed, as from its subject
    away: bool = False  # of an automatic reply: its sender is out of office

    @property
    def ids(self) -> tuple[int, int, str] | None:
        """Approval id, level and token, where the mail carries one token."""
        if self.approval_id is None or self.level is None or self.token is None:
            return None
        return self.approval_id, self.level, self.token


class KnownNames(NamedTuple):
    """The names that the directory knows for a request: that of the sender, and those of the others concerned."""

    sender: str
    others: Sequence[str] = ()


def read_reply(raw: bytes, names: KnownNames | None = None, languages: Sequence[str] = CODES) -> Reply:
    """Read one mail as it came. What can't be read is a Reply too, of the kind "unreadable".

    `names` are all that may stand beside an answer; without them, those in the mail's own headers may. `languages`:
    codes of the languages in use.
    """
    try:
        mail = read_parts(raw)
        return _of_machine(mail) or _of_person(mail, names, tuple(languages))
    except Unreadable as problem:
        return read_head(raw, problem.code, str(problem))
    except Exception as problem:  # a fault of ours must not stop the mailbox; it decides nothing and says so
        return read_head(raw, "broken", f"{REASONS['broken']} ({type(problem).__name__})")


def read_head(raw: bytes, code: str = "too_large", reason: str = "") -> Reply:
    """Read only a mail's header, if the rest can't be read: who wrote it about which request, if no machine did."""
    try:
        fields = read_fields(raw)
        head = Part(fields, header_values.keyword(fields.first("content-type")), {}, b"")
        return _of_machine(head) or _none(_about(fields), code, "unreadable", reason)
    except Exception:  # Unreadable, or a fault of ours once more
        return _none(Reply(), code, "unreadable", reason)


def _of_person(mail: Part, known: KnownNames | None, languages: tuple[str, ...]) -> Reply:
    about = _about(mail.fields)
    if any(len(mail.fields.all(name)) > 1 for name in SINGLE):
        return _none(about, "repeated_header", "unreadable")
    if not about.sender:
        return _none(about, "no_one_sender", "unreadable")
    if header_values.sender_differs(mail.fields, about.sender):
        return _none(about, "sent_by_another", "reply")
    if kind_by_subject(mail) == "forward":
        return _none(about, "forwarded", "forward")
    words, number = lexicon(languages), about.approval_id or in_subject(about.subject)
    answer = read_mail(mail, Context(_names(mail.fields, known), words, number))
    line = " ".join(without_controls(answer.line.replace(UNSURE, " ")).split())[: limits.LONGEST_LINE_SHOWN]
    text, comment = (without_controls(each)[:LONGEST_COMMENT] for each in (answer.text, answer.comment))
    about = _with(about, line=line, text=text, comment=comment, asks=answer.asks)
    if answer.verdict != "none":
        return _with(about, verdict=answer.verdict, code="answer", explicit=words.is_explicit(line))
    undoes = answer.code == "undo"
    kind = "forward" if answer.code == "forwarded" else "reply"
    # Show which line was read: a gateway may have put it there, unseen by the sender.
    why = REASONS.get(answer.code, REASONS["unclear"]) + (f' It reads "{line}".' if line else "")
    if answer.doubt:
        why = REASONS["doubted"].format(word=answer.doubt[: limits.LONGEST_LINE_SHOWN], answer=line)
    return _with(_none(about, "unclear" if undoes else answer.code, kind, why), asks_to_undo=undoes)


def _names(fields: Fields, known: KnownNames | None) -> Names:
    known = known or KnownNames(header_values.decoded(fields.first("from")))
    ours = header_values.decoded(fields.first("to"))  # "Hi Countersign team,"
    return Names(words_of_name(known.sender), frozenset().union(*map(words_of_name, [*known.others, ours])))


def _of_machine(mail: Part) -> Reply | None:
    wrote = machines.machine(mail)
    if wrote is None:
        return None
    about = _with(_about(mail.fields), guessed=wrote.guessed)
    if wrote.kind == "bounce":
        failed, by_server = bounces.failed_recipient(mail), machines.is_from_mail_server(mail)
        about = _with(about, failed_recipient=failed, from_mail_server=by_server)
        if about.token is None and (ids := bounces.returned_ids(mail)):
            about = _with(about, tokens_found=1, **ids._asdict())
    away = wrote.kind == "auto_reply" and machines.is_away(mail)
    return _with(_none(about, wrote.kind, wrote.kind, f"{REASONS[wrote.kind]}: {wrote.sign}."), away=away)


def _about(fields: Fields) -> Reply:
    """What the headers say, whatever the text says."""
    found = header_values.ids_named(fields)
    return Reply(
        sender=header_values.one_sender(fields),
        subject=without_controls(header_values.decoded(fields.first("subject")))[: limits.LONGEST_KEPT],
        message_id=fields.first("message-id")[: limits.LONGEST_KEPT],
        # Only To surely comes from the sender: it is signed if present (RFC 6376, section 5.4.1), and a reply has one.
        # But a Cc could be added to a signed mail that had none, and Delivered-To is written by servers.
        recipients=header_values.addresses(fields.first("to")),
        answers=header_values.answered_ids(fields),
        tokens_found=len(found),
        **(found[0]._asdict() if len(found) == 1 else {}),
    )


def _none(about: Reply, code: str, kind: str, reason: str = "") -> Reply:
    return _with(about, code=code, kind=kind, reason=reason or REASONS.get(code, REASONS["unclear"]))


def _with(about: Reply, **more: object) -> Reply:
    return Reply.model_validate({**dict(about), **more})
