"""One mail on its way over a connection: offered, sent to its last line, and answered (RFC 5321, section 3.3)."""

import re
from dataclasses import dataclass

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPServerDisconnected,
    SMTPStatus,
)

from countersign.errors import Unconfirmed


@dataclass(frozen=True)
class Envelope:
    """One mail as it goes over the wire. `beyond_ascii` asks for SMTPUTF8."""

    sender: str
    recipient: str
    raw: bytes
    beyond_ascii: bool = False


async def start(client: SMTP, envelope: Envelope) -> None:
    """Go on until the server says that it wants the content. Nothing is mailed yet, so this may be repeated at once.

    Raises what aiosmtplib raises.
    """
    encoding, options = ("utf-8", ["SMTPUTF8"]) if envelope.beyond_ascii else ("ascii", [])
    if envelope.beyond_ascii:
        if client.is_ehlo_or_helo_needed:
            await client.ehlo()
        if not client.supports_extension("smtputf8"):
            raise SMTPNotSupported("SMTPUTF8 is not supported by this server")
    await client.mail(envelope.sender, options=options, encoding=encoding)
    await client.rcpt(envelope.recipient, encoding=encoding)
    reply = await client.execute_command(b"DATA")
    if reply.code != SMTPStatus.start_input:
        raise SMTPDataError(reply.code, reply.message)


async def finish(client: SMTP, envelope: Envelope, seconds: float) -> None:
    """Send the content and wait at most `seconds` for the server's reply to it.

    Raises SMTPDataError if it refused the mail, and Unconfirmed if that can't be known: RFC 1047 explains how the same
    mail arrives twice from clients that give up here and send again.
    """
    protocol = client.protocol
    if protocol is None:
        raise SMTPServerDisconnected("Connection lost")
    protocol.write(_content(envelope.raw))
    try:
        code, reply = await protocol.read_response(timeout=seconds)
    except TimeoutError as error:
        raise Unconfirmed(f"said nothing for {seconds:.0f} seconds") from error
    except (SMTPException, OSError) as error:
        raise Unconfirmed("the connection was lost before it answered") from error
    if code != SMTPStatus.completed:
        raise SMTPDataError(code, reply)


def _content(raw: bytes) -> bytes:
    """A mail as sent after DATA: a lone dot ends it, and a line that begins with one gets another (RFC 5321, 4.5.2)."""
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", raw.removesuffix(b"\r\n"))
    return re.sub(rb"(?m)^\.", b"..", lines) + b"\r\n.\r\n"
