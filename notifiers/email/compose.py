"""From a notice to the mail that carries it. Pure: no clock, no network; the templates are read once."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from urllib.parse import quote, urlencode

from jinja2 import Environment, StrictUndefined, Template

from countersign import times
from countersign.errors import Unreachable
from countersign.models import Event, Status, Verdict
from countersign.notifications import Notification, Person, RequestNotification
from notifiers.email import headers, token, wording
from notifiers.email.config import EmailConfig
from notifiers.templates import loader


def compose(notice: Notification, config: EmailConfig, now: datetime | None = None) -> EmailMessage:
    """The whole mail, in ASCII but for an address beyond it. `now` is for its Date.

    Raises Unreachable where the person's address can't be written to.
    """
    address = writable(notice.to.email)
    message = EmailMessage(headers.POLICY if address.isascii() else headers.UTF8_POLICY)
    message["From"] = headers.mailbox(config.sender_name or config.instance_name, config.sender_address)
    message["To"] = headers.mailbox(wording.name(notice.to.name, ""), address)
    if isinstance(notice, RequestNotification):
        _address(message, notice, config)
        _thread(message, notice, config)
    else:
        _address_general(message, notice, config)
    message["Date"] = format_datetime(now or datetime.now(UTC))
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    _write(message, notice, config)
    return message


def writable(address: str) -> str:
    """The address as it goes on the wire, its domain in ASCII (IDNA); Unreachable if no mail could ever go there."""
    if not headers.is_plain_address(address):
        raise Unreachable(f"{wording.one_line(address)!r} is not an email address; correct it in the directory")
    if address.isascii():
        return address
    user, _, domain = address.rpartition("@")
    try:
        return f"{user}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        raise Unreachable(f"{address!r} has a domain that does not exist; correct it in the directory") from None


def ids_of(notice: RequestNotification, config: EmailConfig) -> token.Ids:
    """What the mail's ids say. Only an approver who may answer by mail gets a token, of the kind of this mail."""
    kind = token.KIND_OF_EVENT.get(notice.event)
    if kind is None or notice.use != "decide" or notice.to.id == notice.requester.id:
        return token.Ids(notice.approval_id, 0, "")
    made = token.make(config.keys, notice.approval_id, notice.level, notice.to.id, notice.token_run, kind)
    return token.Ids(notice.approval_id, notice.level, made)


def _answerable(notice: RequestNotification, ids: token.Ids) -> bool:
    return bool(ids.token) and notice.status is Status.WAITING


def _address(message: EmailMessage, notice: RequestNotification, config: EmailConfig) -> None:
    ids = ids_of(notice, config)
    message["Reply-To"] = _reply_to(notice, config)
    message["Subject"] = headers.words(_subject(notice, config))
    message["Message-ID"] = token.message_id(config.message_id_domain, ids, notice.event, _of_run(notice, notice.id))


def _reply_to(notice: RequestNotification, config: EmailConfig) -> str:
    ids = ids_of(notice, config)
    return token.reply_address(config.reply_address, *ids) if _answerable(notice, ids) else config.reply_address


def _subject(notice: RequestNotification, config: EmailConfig) -> str:
    kind = notice.subject.kind.capitalize()
    return f"{config.instance_name} - {kind} Approval Notification - #{notice.approval_id}"


def _ready_reply(notice: RequestNotification, config: EmailConfig, word: str) -> wording.Harmless:
    """A link that opens a new mail which holds an answer, for its reader to send (RFC 6068); it decides nothing."""
    fields = urlencode({"subject": f"Re: {_subject(notice, config)}", "body": word}, quote_via=quote)
    return wording.Harmless(f"mailto:{quote(_reply_to(notice, config), safe='@')}?{fields}")


def _address_general(message: EmailMessage, notice: Notification, config: EmailConfig) -> None:
    """What is about no request has a subject line of its own, and nothing in it that an answer could be known by."""
    title = _template(f"{notice.event}/title.j2").render(_shown_general(notice, config)).strip()
    message["Reply-To"] = config.reply_address
    message["Subject"] = headers.words(f"{config.instance_name} - {title}")
    message["Message-ID"] = token.message_id(config.message_id_domain, None, notice.event, notice.id)


def _thread(message: EmailMessage, notice: RequestNotification, config: EmailConfig) -> None:
    """Every mail to a person about a request, the first one too, refers to the same id, which is no mail's own.

    Gmail asks for just that ("references headers that consistently refer to the same message ID", beside the same
    subject), and threads by RFC 5256 or JWZ's algorithm stand in a container of that id.
    """
    root = token.thread_id(config.message_id_domain, notice.approval_id, _of_run(notice, notice.to.id))
    answered = notice.in_reply_to.strip()
    if headers.is_message_id(answered):
        message["In-Reply-To"] = answered
        message["References"] = f"{root} {answered}"
        return
    if notice.event is not Event.ASKED:
        message["In-Reply-To"] = root
    message["References"] = root


def _of_run(notice: RequestNotification, name: str) -> str:
    """What tells mails apart whose request has a number that was given out before."""
    return f"{name}:{notice.token_run}" if notice.token_run else name


def _write(message: EmailMessage, notice: Notification, config: EmailConfig) -> None:
    shown = _shown(notice, config) if isinstance(notice, RequestNotification) else _shown_general(notice, config)
    text = _template(f"{notice.event}/text.j2").render(shown)
    html = _template(f"{notice.event}/html.j2").render(shown)
    # All ASCII, so that every server on the way may take it as it is and no signature over it breaks.
    message.set_content(text, cte=None if text.isascii() else "quoted-printable")
    message.make_alternative(token.boundary(config.keys, notice.id))
    message.add_alternative(html.encode("ascii", "xmlcharrefreplace").decode("ascii"), subtype="html")


def _shown_general(notice: Notification, config: EmailConfig) -> dict[str, object]:
    """What the templates of every notice may use."""
    return {"n": notice, "instance": config.instance_name}


def _shown(notice: RequestNotification, config: EmailConfig) -> dict[str, object]:
    """All that those of a notice about a request may use."""
    return {
        **_shown_general(notice, config),
        "subject": notice.subject,
        "lasts": notice.grant_lasts,
        "to_requester": notice.to.id == notice.requester.id,
        "answerable": _answerable(notice, ids_of(notice, config)),
        "approve": _ready_reply(notice, config, "Approve"),
        "reject": _ready_reply(notice, config, "Reject"),
        "page": f"{config.public_url}/requests/{notice.approval_id}" if config.public_url else "",
        "requester": _name(notice.requester),
        "asker": wording.one_line(notice.asked_by, wording.LONGEST_NAME),
        "others": wording.listed(_others(notice)),
        "approvers": wording.listed([_decider(notice, one) for one in notice.approved_by]),
        "deciders": wording.listed(_deciders(notice)),
        "decisions": [(_decider(notice, d.person), d) for d in notice.decisions],
    }


def _others(notice: RequestNotification) -> list[str]:
    """Who else is asked, and which of them don't know it yet."""
    others = [person for person in notice.asked if person.id != notice.to.id]
    return [_name(one) + (" (not told yet)" if one.id in notice.untold else "") for one in others]


def _name(person: Person) -> str:
    return wording.name(person.name, person.id)


def _deciders(notice: RequestNotification) -> list[str]:
    """Whose answers brought this outcome about, each once."""
    verdict = {Status.APPROVED: Verdict.APPROVE, Status.REJECTED: Verdict.REJECT}.get(notice.status)
    return list(
        dict.fromkeys(_decider(notice, d.person) for d in notice.decisions if d.verdict is verdict and not d.lapsed)
    )


def _decider(notice: RequestNotification, person: str) -> str:
    return wording.name(notice.names.get(person, ""), person)


@cache
def _template(name: str) -> Template:
    return _environment(html=not name.endswith("/text.j2")).get_template(name)


@cache
def _environment(html: bool) -> Environment:
    environment = Environment(
        loader=loader("email"),
        autoescape=html,  # noqa: S701 - off for the plain text only
        finalize=wording.in_html if html else wording.in_text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "moment": times.moment,
        "duration": times.duration,
        "lines": wording.lines,
        "quoted": wording.quoted,
    }
    return environment
