"""The email channel as the settings have it."""

from collections.abc import Iterator
from functools import partial

from notifiers.base import Channel, Inbox
from notifiers.email.doctor import email_checks
from notifiers.email.inbound import Inbound
from notifiers.email.listener import MailboxListener
from notifiers.email.preview import preview
from notifiers.email.read_settings import EmailChannel, email_channel
from notifiers.email.send import EmailSender
from notifiers.email.settings import EmailSettings
from notifiers.email.sign_in_links import MailedLinks
from notifiers.engine import Engine, Ledger


def channel(settings: EmailSettings) -> Channel:
    """Build the channel from what is set. Raises BadSetting naming the setting that is wrong."""
    email = email_channel(settings)
    keys, mailbox = email.keys, email.mailbox

    def inbound(engine: Engine) -> Inbound:
        assert keys is not None
        return Inbound(engine, keys, email.rule, email.addresses, email.languages)

    def reader(engine: Engine, ledger: Ledger) -> MailboxListener:
        assert mailbox is not None
        return MailboxListener(mailbox, ledger, inbound(engine))

    return Channel(
        name="email",
        checks=email_checks(email),
        sender=partial(EmailSender, email.config) if email.config else None,
        inbox=Inbox(mailbox.name, "watch_mailbox", reader) if mailbox else None,
        explainers={"message/rfc822": lambda engine: inbound(engine).explained} if keys else {},
        preview=partial(preview, email.config) if email.config else None,
        sign_in_links=MailedLinks(email.config.keys) if email.config and settings.public_url else None,
        warnings=tuple(_warnings(email)),
    )


def _warnings(email: EmailChannel) -> Iterator[str]:
    if email.config is None:
        yield "no mail server is set (COUNTERSIGN_SMTP_HOST): this worker sends no mail"
    if email.mailbox is None:
        yield "no mailbox is set (COUNTERSIGN_IMAP_HOST): replies by mail are not read"
    elif email.rule.mode == "off":
        yield "no rule says which mail is authentic (COUNTERSIGN_MAIL_RULE): mail decides nothing"
