"""How real mail clients write: replies, forwards and out-of-office notes, headers and quoting included."""

import html
import re
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from enum import StrEnum

# Wide enough that no Message-ID is ever folded into an encoded word.
POLICY = policy.SMTP.clone(max_line_length=998)
QUOTE_WIDTH = 76


class Client(StrEnum):
    """The clients that are imitated here."""

    PLAIN = "plain"  # the answer on top, the question quoted below
    BOTTOM = "bottom"  # the question quoted on top, the answer below
    GMAIL = "gmail"
    OUTLOOK = "outlook"
    APPLE = "apple"


def reply(original: EmailMessage, sender: Address, text: str, client: Client = Client.PLAIN) -> EmailMessage:
    """Answer a mail as `sender` would by pressing Reply in that client and typing `text`."""
    message = _headers(sender, original.get("Reply-To") or original["From"], _prefixed(_RE[client], original))
    message["In-Reply-To"] = original["Message-ID"]
    message["References"] = " ".join(filter(None, [original.get("References"), original["Message-ID"]]))
    _BODIES[client](message, original, text)
    return message


def forward(original: EmailMessage, sender: Address, to: Address, text: str = "") -> EmailMessage:
    """Pass a mail on to somebody else, quoted in the body, as Gmail does."""
    message = _headers(sender, str(to), _prefixed("Fwd: ", original))
    message["References"] = original["Message-ID"]
    note = "---------- Forwarded message ---------"
    facts = [f"{name}: {original[name]}" for name in ("From", "Date", "Subject", "To") if original[name]]
    message.set_content("\n".join([text, "", note, *facts, "", _plain(original)]))
    attribution = "<br>".join(html.escape(line) for line in [note, *facts])
    message.add_alternative(
        f'<div dir="ltr">{_paragraphs(text)}<br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">'
        f"{attribution}</div><br>{_markup(original)}</div></div>",
        subtype="html",
    )
    return message


def out_of_office(original: EmailMessage, sender: Address, text: str) -> EmailMessage:
    """Answer as an autoresponder does (RFC 3834), even to a mail that asks for none, as bad ones do."""
    message = _headers(sender, original.get("Reply-To") or original["From"], _prefixed("Automatic reply: ", original))
    message["In-Reply-To"] = original["Message-ID"]
    message["References"] = original["Message-ID"]
    message["Auto-Submitted"] = "auto-replied"
    message["X-Auto-Response-Suppress"] = "All"
    message["Precedence"] = "bulk"
    message.set_content(text)
    return message


def _headers(sender: Address, to: str, subject: str) -> EmailMessage:
    message = EmailMessage(POLICY)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=sender.domain)
    return message


def _plain_body(message: EmailMessage, original: EmailMessage, text: str) -> None:
    message.set_content(f"{text}\n\nOn {_date(original)}, {original['From']} wrote:\n\n{_quoted(original)}\n")


def _bottom_body(message: EmailMessage, original: EmailMessage, text: str) -> None:
    message["User-Agent"] = "Mozilla Thunderbird"
    message.set_content(f"On {_date(original)}, {original['From']} wrote:\n{_quoted(original)}\n\n{text}\n")


def _gmail_body(message: EmailMessage, original: EmailMessage, text: str) -> None:
    name, address = _author(original)
    attribution = f"On {_date(original)} {name} <{address}> wrote:"
    # Gmail wraps the line that says who wrote if it grows too long.
    message.set_content(f"{text}\n\n{textwrap.fill(attribution, QUOTE_WIDTH)}\n\n{_quoted(original)}\n")
    link = f'&lt;<a href="mailto:{html.escape(address)}">{html.escape(address)}</a>&gt;'
    message.add_alternative(
        f'<div dir="ltr">{_paragraphs(text)}</div><br><div class="gmail_quote gmail_quote_container">'
        f'<div dir="ltr" class="gmail_attr">On {_date(original)} {html.escape(name)} {link} wrote:<br></div>'
        '<blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);'
        f'padding-left:1ex">{_markup(original)}</blockquote></div>\n',
        subtype="html",
    )


def _outlook_body(message: EmailMessage, original: EmailMessage, text: str) -> None:
    """Outlook marks no line as quoted; the whole question follows below a rule and a block of headers."""
    message["Thread-Topic"] = str(original["Subject"])
    message["X-MS-Has-Attach"] = ""
    names = {"From": "From", "Sent": "Date", "To": "To", "Subject": "Subject"}
    facts = [(label, str(original[name])) for label, name in names.items() if original[name]]
    plain = "\n".join(f"{label}: {value}" for label, value in facts)
    message.set_content(f"{text}\n\n{'_' * 32}\n{plain}\n\n{_plain(original)}")
    block = "<br>".join(f"<b>{label}:</b> {html.escape(value)}" for label, value in facts)
    lines = "".join(f'<p class="MsoNormal">{html.escape(line) or "&nbsp;"}<o:p></o:p></p>' for line in text.split("\n"))
    message.add_alternative(
        '<html xmlns:o="urn:schemas-microsoft-com:office:office" xmlns="http://www.w3.org/TR/REC-html40"><head>'
        '<meta http-equiv="Content-Type" content="text/html; charset=utf-8"><style><!-- p.MsoNormal {margin:0in;} -->'
        f'</style></head><body lang="EN-US" link="#0563C1" vlink="#954F72"><div class="WordSection1">{lines}'
        '<p class="MsoNormal"><o:p>&nbsp;</o:p></p><div><div style="border:none;border-top:solid #E1E1E1 1.0pt;'
        f'padding:3.0pt 0in 0in 0in"><p class="MsoNormal">{block}<o:p></o:p></p></div></div>{_markup(original)}'
        "</div></body></html>\n",
        subtype="html",
    )


def _apple_body(message: EmailMessage, original: EmailMessage, text: str) -> None:
    message["X-Mailer"] = "Apple Mail (2.3774.600.62)"
    name, address = _author(original)
    attribution = f"On {_date(original)}, {name} <{address}> wrote:"
    message.set_content(f"{text}\n\n> {attribution}\n> \n{_quoted(original)}\n")
    message.add_alternative(
        '<html><head><meta http-equiv="content-type" content="text/html; charset=utf-8"></head><body style="'
        f'overflow-wrap: break-word; line-break: after-white-space;">{_paragraphs(text)}<br><div><br><blockquote '
        f'type="cite"><div>{html.escape(attribution)}</div><br class="Apple-interchange-newline"><div>'
        f"{_markup(original)}</div></blockquote></div><br></body></html>\n",
        subtype="html",
    )


_BODIES: dict[Client, Callable[[EmailMessage, EmailMessage, str], None]] = {
    Client.PLAIN: _plain_body,
    Client.BOTTOM: _bottom_body,
    Client.GMAIL: _gmail_body,
    Client.OUTLOOK: _outlook_body,
    Client.APPLE: _apple_body,
}
_RE = dict.fromkeys(Client, "Re: ") | {Client.OUTLOOK: "RE: "}


def _prefixed(prefix: str, original: EmailMessage) -> str:
    subject = str(original["Subject"] or "")
    return subject if subject.lower().startswith(prefix.lower()) else prefix + subject


def _author(original: EmailMessage) -> tuple[str, str]:
    first = original["From"].addresses[0]
    return first.display_name or first.username, first.addr_spec


def _date(original: EmailMessage) -> str:
    return str(original["Date"].datetime.strftime("%a, %d %b %Y at %H:%M"))


def _plain(original: EmailMessage) -> str:
    body = original.get_body(("plain",))
    return str(body.get_content()).replace("\r\n", "\n") if body else ""


def _quoted(original: EmailMessage) -> str:
    return "\n".join(f"> {line}".rstrip() for line in _plain(original).rstrip().split("\n"))


def _markup(original: EmailMessage) -> str:
    """Return the content of the original's HTML body, or its text as HTML."""
    body = original.get_body(("html",))
    if not body:
        return _paragraphs(_plain(original))
    inner = re.search(r"<body[^>]*>(.*)</body>", content := str(body.get_content()), re.DOTALL | re.IGNORECASE)
    return inner[1] if inner else content


def _paragraphs(text: str) -> str:
    first, *more = text.split("\n")
    return html.escape(first) + "".join(f"<div>{html.escape(line) or '<br>'}</div>" for line in more)
