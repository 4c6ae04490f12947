"""What `countersign doctor` checks of mail: both servers by a real login, the reply address, the rule for replies."""

import asyncio
from functools import partial

from aiosmtplib import SMTP, SMTPException, SMTPResponseException
from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from countersign.checks import Check
from countersign.directory import Policy
from countersign.errors import Unavailable
from countersign.views import Finding
from notifiers.email.config import LONGEST_REPLY_USER, EmailConfig
from notifiers.email.mailbox import login
from notifiers.email.mailbox.login import Mailbox
from notifiers.email.read_settings import EmailChannel
from notifiers.email.send import EmailSender
from notifiers.email.token import reply_address
from notifiers.email.wording import one_line

PART = "mail"
# Less than a check may take, so that the message names the server.
NETWORK_SECONDS = 8.0
# As long as a real one.
SOME_TOKEN = "a1" + "a" * 26

PROVEN_BY = {
    "authentication_results": "the Authentication-Results header of your mail server",
    "dkim": "their DKIM signature, which is checked here",
}

ok = partial(Finding, part=PART, state="ok")
warning = partial(Finding, part=PART, state="warning")
problem = partial(Finding, part=PART, state="problem")


def email_checks(email: EmailChannel) -> list[Check]:
    """The checks of this channel; they also report what isn't set."""
    return [
        Check(PART, "SMTP", partial(_out, email.config)),
        Check(PART, "mailbox", partial(_in, email.mailbox)),
        Check(PART, "rule", partial(_rule, email)),
    ]


async def _out(config: EmailConfig | None, policy: Policy | None) -> list[Finding]:
    """Whether the server lets us in and would take mail from us, as far as it can be seen without sending any."""
    if config is None:
        return [problem(about="SMTP", message="no mail is sent: set COUNTERSIGN_SMTP_HOST")]
    smtp = config.smtp.model_copy(update={"timeout_seconds": NETWORK_SECONDS})
    refused = await _refused(config.model_copy(update={"smtp": smtp}))
    by = f"as {smtp.username}" if smtp.username else "without a login"
    how = {"tls": "by TLS", "starttls": "by STARTTLS", "none": "unencrypted"}[smtp.security]
    found = [ok(about="SMTP", message=f"{smtp.host}:{smtp.port} lets us in {by}, {how}")]
    return [*found, refused or _room(config)]


async def _refused(config: EmailConfig) -> Finding | None:
    """What the server has against the reply address, if anything; sends no mail. Raises Unavailable as sending does."""
    sender, reply_to = EmailSender(config), reply_address(config.reply_address, 1, 1, SOME_TOKEN)
    try:
        client = (await sender.connections.opened()).client
        try:
            refusal = await _refusal(client, config.sender_address, reply_to)
        finally:
            client.close()
    except (SMTPException, OSError) as error:
        raise sender.our_error(error, reply_to) from error
    message = f"the server refuses {config.reply_address} with a tag behind a + ({refusal}): replies would be lost"
    return warning(about="reply address", message=f"{message}; let it deliver plus-addresses") if refusal else None


async def _refusal(client: SMTP, sender: str, recipient: str) -> str:
    """Announce a mail without sending it; returns why its recipient is refused for good, or ""."""
    await client.mail(sender)
    try:
        await client.rcpt(recipient)
    except SMTPResponseException as error:
        # A temporary refusal is often greylisting, which passes.
        return one_line(f"{error.code} {error.message}") if error.code >= 500 else ""
    return ""


def _room(config: EmailConfig) -> Finding:
    user = config.reply_address.rpartition("@")[0]
    message = f"{config.reply_address} has room for a token ({len(user)} of {LONGEST_REPLY_USER} characters)"
    return ok(about="reply address", message=message)


async def _in(mailbox: Mailbox | None, policy: Policy | None) -> list[Finding]:
    """Whether the mailbox can be read; no mail in it is read."""
    if mailbox is None:
        return [warning(about="mailbox", message="replies by mail are not read: set COUNTERSIGN_IMAP_HOST")]
    quick = mailbox.model_copy(update={"network_seconds": NETWORK_SECONDS})
    return [await asyncio.to_thread(_looked_in, quick)]


def _looked_in(mailbox: Mailbox) -> Finding:
    server = f"the mailbox server {mailbox.host}:{mailbox.port}"
    try:
        client = login.connect(mailbox)
        try:
            login.log_in(client, mailbox)
            there = _has_folder(client, mailbox)
        finally:
            login.hang_up(client)
    except LoginError as error:
        why = f"{server} refuses the login of {mailbox.username} ({one_line(error)})"
        raise Unavailable(f"{why}; check COUNTERSIGN_IMAP_USERNAME and its password or token") from None
    except (OSError, IMAPClient.Error) as error:
        why = one_line(error) or type(error).__name__
        raise Unavailable(f"{server} can't be used: {why}; check host, port and security") from None
    if not there:
        message = f"{mailbox.username} has no folder {mailbox.folder} yet: correct COUNTERSIGN_IMAP_FOLDER, or see that"
        return warning(about="mailbox", message=f"{message} replies are delivered there (the worker makes it)")
    return ok(about="mailbox", message=f"{mailbox.name} can be read")


def _has_folder(client: login.Client, mailbox: Mailbox) -> bool:
    path = login.folder_paths(client)(mailbox.folder)
    return path == "INBOX" or bool(client.folder_exists(path))


async def _rule(email: EmailChannel, policy: Policy | None) -> list[Finding]:
    """Whether a reply can decide anything."""
    if email.mailbox is None:
        return []
    if email.rule.mode == "off":
        message = "no mail decides anything: set COUNTERSIGN_MAIL_RULE to what proves a reply its sender's"
        return [problem(about="rule", message=message)]
    return [ok(about="rule", message=f"replies are proven by {PROVEN_BY[email.rule.mode]}")]
