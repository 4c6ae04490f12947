"""Composes the mail that carries a notification, without the network; the templates are read once."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from urllib.parse import quote, urlencode

from countersign import times
from countersign.errors import Unreachable
from countersign.models import Event, GrantStatus, Status
from countersign.notifications import Notification, Person, RequestNotification
from notifiers.email import compose_headers, token, wording
from notifiers.email.compose_headers import is_message_id, is_plain_address
from notifiers.email.config import EmailConfig
from notifiers.email.sign_in_links import MailedLinks
from notifiers.templates import Templates

FORMS = "text", "html"


def compose(notification: Notification, config: EmailConfig, now: datetime | None = None) -> EmailMessage:
    """The whole mail, in ASCII except for a non-ASCII address. `now` is its Date, the current time by default.

    Raises Unreachable if the person's address can't be written to.
    """
    address = writable(notification.to.email)
    message = EmailMessage(compose_headers.POLICY if address.isascii() else compose_headers.UTF8_POLICY)
    message["From"] = compose_headers.mailbox(config.instance_name, config.sender_address)
    message["To"] = compose_headers.mailbox(wording.name(notification.to.name, ""), address)
    if isinstance(notification, RequestNotification):
        ids = ids_of(notification, config)
        _address(message, notification, ids, config)
        _thread(message, notification, config)
        shown = _shown(notification, ids, config)
    else:
        _address_general(message, notification, config)
        shown = _shown_general(notification, config)
    message["Date"] = format_datetime(now or datetime.now(UTC))
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    _write(message, notification, shown, config)
    return message


def writable(address: str) -> str:
    """The address as it goes on the wire, its domain in ASCII (IDNA); Unreachable if no mail could ever go there."""
    if not is_plain_address(address):
        raise Unreachable(f"{wording.one_line(address)!r} is not an email address; correct it in the directory")
    if address.isascii():
        return address
    user, _, domain = address.rpartition("@")
    try:
        return f"{user}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        raise Unreachable(f"{address!r} has a domain that does not exist; correct it in the directory") from None


def ids_of(notification: RequestNotification, config: EmailConfig) -> token.Ids:
    """The ids in the mail. Only a person who may answer, undo or comment by mail gets a token, of this mail's kind."""
    kind = token.KIND_OF_EVENT.get(notification.event)
    mine = notification.to.id == notification.requester.id and kind in ("answer", "help")
    if kind is None or notification.use != "decide" or mine:
        return token.Ids(notification.approval_id, 0, "")
    level = max(1, notification.level)  # 0 where nobody had to agree
    made = token.make(config.keys, notification.approval_id, level, notification.to.id, notification.token_run, kind)
    return token.Ids(notification.approval_id, level, made)


def _reply_does(notification: RequestNotification, ids: token.Ids) -> token.Kind | None:
    """What a reply to this mail does: it answers ("answer" or "help"), undoes or comments; None if it does nothing.

    A grant can be undone while it lasts; everything else is possible while the request waits.
    """
    lasts = notification.grant is not None and notification.grant.status is GrantStatus.ACTIVE
    may = lasts if notification.event is Event.SETTLED else notification.status is Status.WAITING
    return token.KIND_OF_EVENT.get(notification.event) if ids.token and may else None


def _address(message: EmailMessage, notification: RequestNotification, ids: token.Ids, config: EmailConfig) -> None:
    message["Reply-To"] = _reply_to(notification, ids, config)
    message["Subject"] = compose_headers.free_text(_subject(notification, config))
    message["Message-ID"] = token.message_id(
        config.domain, ids, notification.event, _of_run(notification, notification.id)
    )


def _reply_to(notification: RequestNotification, ids: token.Ids, config: EmailConfig) -> str:
    does = _reply_does(notification, ids)
    return token.reply_address(config.reply_address, *ids) if does else config.reply_address


def _subject(notification: RequestNotification, config: EmailConfig) -> str:
    kind = notification.subject.kind.capitalize()
    return f"{config.instance_name} - {kind} Approval Notification - #{notification.approval_id}"


def _ready_reply(notification: RequestNotification, ids: token.Ids, config: EmailConfig, word: str) -> wording.Harmless:
    """A link that opens a new mail which holds an answer, for its reader to send (RFC 6068); it decides nothing."""
    fields = urlencode({"subject": f"Re: {_subject(notification, config)}", "body": word}, quote_via=quote)
    return wording.Harmless(f"mailto:{quote(_reply_to(notification, ids, config), safe='@')}?{fields}")


def _address_general(message: EmailMessage, notification: Notification, config: EmailConfig) -> None:
    """A mail that isn't about a request has its own subject line, and nothing that would make a reply an answer."""
    title = _environment("text").get_template(f"{notification.event}/title.j2").render(n=notification).strip()
    message["Reply-To"] = config.reply_address
    message["Subject"] = compose_headers.free_text(f"{config.instance_name} - {title}")
    message["Message-ID"] = token.message_id(config.domain, None, notification.event, notification.id)


def _thread(message: EmailMessage, notification: RequestNotification, config: EmailConfig) -> None:
    """All mails to a person about a request, even the first, refer to the same id, which is the id of none of them.

    Gmail asks for just that ("references headers that consistently refer to the same message ID", beside the same
    subject), and RFC 5256 and JWZ's algorithm put such a thread into a container with that id.
    """
    root = token.thread_id(config.domain, notification.approval_id, _of_run(notification, notification.to.id))
    answered = notification.in_reply_to.strip()
    if is_message_id(answered):
        message["In-Reply-To"] = answered
        message["References"] = f"{root} {answered}"
        return
    if notification.event is not Event.ASKED:
        message["In-Reply-To"] = root
    message["References"] = root


def _of_run(notification: RequestNotification, name: str) -> str:
    """The name, with the run added so that mails differ even if their request's number was given out before."""
    return f"{name}:{notification.token_run}" if notification.token_run else name


def _write(message: EmailMessage, notification: Notification, shown: dict[str, object], config: EmailConfig) -> None:
    text, html = (_environment(form).get_template(f"{notification.event}/body.j2").render(shown) for form in FORMS)
    # All ASCII, so that every server on the way can pass it on unchanged and no signature over it breaks.
    message["MIME-Version"] = "1.0"
    # Not by the library's make_alternative, which writes and parses this header several times.
    message["Content-Type"] = f'multipart/alternative; boundary="{_boundary(notification, config)}"'
    message.attach(_part("plain", text, None if text.isascii() else "quoted-printable"))
    message.attach(_part("html", html.encode("ascii", "xmlcharrefreplace").decode("ascii")))


def _boundary(notification: Notification, config: EmailConfig) -> str:
    """Always the same for one notification, and not found in any body."""
    keys = config.keys
    return token.code(keys, keys.signs, f"countersign.email.boundary:{notification.id}", token.TAG_BYTES)[2:]


def _part(subtype: str, text: str, encoding: str | None = None) -> EmailMessage:
    part = EmailMessage(compose_headers.POLICY)
    part.set_content(text, subtype=subtype, cte=encoding)
    return part


def _shown_general(notification: Notification, config: EmailConfig) -> dict[str, object]:
    """What the templates of every notification may use."""
    link_id = (notification.fields or {}).get("link_id")
    link = f"{config.public_url}/sign-in/{link_id}.{MailedLinks(config.keys).secret(link_id)}" if link_id else ""
    return {"n": notification, "instance": config.instance_name, "link": wording.Harmless(link)}


def _shown(notification: RequestNotification, ids: token.Ids, config: EmailConfig) -> dict[str, object]:
    """What templates about a request may use; ready replies only if the mail asks for an answer."""
    does = _reply_does(notification, ids)
    answerable = does in ("answer", "help")
    labels = {"approve": "Approve", "reject": "Reject"} if answerable else {}
    return {
        **_shown_general(notification, config),
        "subject": notification.subject,
        "question": notification.question,
        "lasts": notification.grant_lasts,
        "after": notification.goes_on_after,
        "to_requester": notification.to.id == notification.requester.id,
        "answerable": answerable,
        "undoable": does == "undo",
        "commentable": does == "comment",
        **{name: _ready_reply(notification, ids, config, word) for name, word in labels.items()},
        "page": f"{config.public_url}/requests/{notification.approval_id}" if config.public_url else "",
        "requester": _name(notification.requester),
        "asker": wording.one_line(notification.asked_by, wording.LONGEST_NAME),
        "others": wording.listed(_others(notification)),
        "approvers": wording.listed([_decider(notification, one) for one in notification.approved_by]),
        "deciders": wording.listed([_decider(notification, one) for one in notification.decided_by]),
        "decisions": [(_decider(notification, d.person), d) for d in notification.decisions],
    }


def _others(notification: RequestNotification) -> list[str]:
    """Who else is asked, and which of them don't know it yet."""
    others = [person for person in notification.asked if person.id != notification.to.id]
    return [_name(one) + (" (not told yet)" if one.id in notification.untold else "") for one in others]


def _name(person: Person) -> str:
    return wording.name(person.name, person.id)


def _decider(notification: RequestNotification, person: str) -> str:
    return wording.name(notification.names.get(person, ""), person)


@cache
def _environment(form: str) -> Templates:
    """The templates for one of the FORMS. What differs between them stands in the folder of that name."""
    # With autoescape a macro's result is Markup in text too; in_text prints that as it is, with all its lines.
    environment = Templates("email", autoescape=True, finalize=wording.in_html if form == "html" else wording.in_text)
    environment.globals["form"] = form
    environment.filters |= {
        "moment": times.moment,
        "duration": times.duration,
        "lines": wording.lines,
        "quoted": wording.quoted,
        "column": wording.column,
    }
    return environment
