"""Sending by email: compose a notification's mail, hand it to the mail server, and report the outcome."""

import re

from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from countersign.errors import Unavailable, Unconfirmed, Unreachable
from countersign.notifications import Notification
from notifiers.email import token
from notifiers.email.compose import compose, writable
from notifiers.email.config import EmailConfig
from notifiers.email.connections import Connections
from notifiers.email.transaction import Envelope
from notifiers.email.wording import one_line

# Permanent replies to RCPT that are about us and not the recipient: commands out of place, and a login missing or weak.
OUR_FAULT = {500, 502, 503, 504, 530, 534, 535, 538}
_RELAYING = re.compile(r"\brelay", re.IGNORECASE)


class EmailSender:
    """Sends notifications as mails over a few kept connections; close it when done."""

    def __init__(self, config: EmailConfig) -> None:
        self._config = config
        self.connections = Connections(config.smtp, hello_name=config.domain)

    async def send(self, notification: Notification) -> str:
        """Send it and return its Message-ID, the token masked. Sent again, it is the same mail with the same id.

        Raises Unreachable if this person's address, or this mail to it, is refused for good; Unconfirmed if the server
        may have taken it but did not say so; Unavailable, with what to do about it, for everything else that another
        try or a better configuration can mend. It takes as long as the server does, 10 minutes or more: a caller that
        cancels it meanwhile can't know whether the mail was sent.
        """
        message = compose(notification, self._config)
        recipient = writable(notification.to.email)
        envelope = Envelope(self._config.sender_address, recipient, message.as_bytes(), not recipient.isascii())
        try:
            await self.connections.deliver(envelope)
        except Unconfirmed as error:
            raise Unconfirmed(f"{self._server} has the whole mail to {recipient}, but {error}") from error
        except (SMTPException, OSError) as error:
            raise self.our_error(error, recipient) from error
        return token.masked(str(message["Message-ID"]))

    async def close(self) -> None:
        """Close the kept connections."""
        await self.connections.close()

    @property
    def _server(self) -> str:
        return f"the mail server {self._config.smtp.host}:{self._config.smtp.port}"

    def our_error(self, error: SMTPException | OSError, recipient: str) -> Unreachable | Unavailable:
        """Our error for one of the server's or the network's, with what to do about it."""
        server = self._server
        match error:
            case SMTPRecipientRefused() if _is_for_good(error):
                return Unreachable(f"{server} refuses {recipient}: {_reply(error)}")
            case SMTPRecipientRefused() if _is_permanent(error):
                return Unavailable(f"{server} takes no mail from us ({_reply(error)}); check the login it wants")
            case SMTPRecipientRefused():
                return Unavailable(f"{server} does not take mail for {recipient} now: {_reply(error)}")
            case SMTPDataError() if _is_permanent(error):
                return Unreachable(f"{server} refuses this mail to {recipient}: {_reply(error)}")
            case SMTPNotSupported():
                return Unreachable(f"{server} can't write to {recipient}: its SMTPUTF8 is missing")
            case SMTPAuthenticationError():
                return Unavailable(
                    f"{server} refuses our login ({_reply(error)}); check username and password or token"
                )
            case SMTPSenderRefused() if _is_permanent(error):
                sender = self._config.sender_address
                return Unavailable(
                    f"{server} lets us not write as {sender} ({_reply(error)}); check the sender address"
                )
            case SMTPResponseException():
                return Unavailable(f"{server} can't take mail now: {_reply(error)}")
            case TimeoutError():
                return Unavailable(f"{server} does not answer in time; check that it runs and can be reached from here")
        return Unavailable(f"{server} can't be used: {one_line(error)}; check host, port and security")


def _is_permanent(reply: SMTPResponseException) -> bool:
    return 500 <= reply.code < 600


def _is_for_good(reply: SMTPResponseException) -> bool:
    """Whether a refused RCPT means this person can't be written to, now or later."""
    return _is_permanent(reply) and reply.code not in OUR_FAULT and not _RELAYING.search(reply.message)


def _reply(reply: SMTPResponseException) -> str:
    return one_line(f"{reply.code} {reply.message}")
