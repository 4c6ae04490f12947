"""Makes from the settings what sending, watching and checking mails needs."""

from typing import NamedTuple

from countersign.errors import BadSetting
from notifiers.email.config import TENANT, AuthenticityRule, EmailConfig, SmtpConfig
from notifiers.email.grammar.lexicon import CODES
from notifiers.email.mailbox.login import Mailbox
from notifiers.email.mailbox.oauth import AccessTokens, OAuth
from notifiers.email.settings import EmailSettings
from notifiers.email.token import KeyRing
from notifiers.settings import wrong_ones_named

SMTP_PORTS = {"tls": 465, "starttls": 587, "none": 25}
IMAP_PORTS = {"tls": 993, "starttls": 143, "none": 143}


class EmailChannel(NamedTuple):
    """How to write mails, where replies come in, what proves them, and the keys of their tokens."""

    config: EmailConfig | None
    mailbox: Mailbox | None
    rule: AuthenticityRule
    keys: KeyRing | None
    addresses: tuple[str, ...] = ()  # ours: where replies may be written to
    languages: tuple[str, ...] = CODES  # that replies are read in


def email_channel(settings: EmailSettings) -> EmailChannel:
    """The parts of the channel that are set. Raises BadSetting naming the setting that is wrong."""
    tokens = access_tokens(settings)
    config, place = email_config(settings, tokens), mailbox(settings, tokens)
    keys = key_ring(settings.mail_keys.get_secret_value()) if config or place else None
    # Some clients write to From, whatever Reply-To says; bounces come in there, and so do those replies.
    addresses = tuple(filter(None, (settings.mail_reply_to, settings.mail_sender)))
    return EmailChannel(config, place, authenticity(settings), keys, addresses, languages(settings))


def access_tokens(settings: EmailSettings) -> AccessTokens | None:
    """The tokens for XOAUTH2; None for passwords. Both servers share them: a refresh token may be good for one use."""
    if not settings.oauth_token_url:
        return None
    with wrong_ones_named("The settings of the token server (COUNTERSIGN_OAUTH_...)"):
        return AccessTokens(
            OAuth(
                token_url=settings.oauth_token_url,
                client_id=settings.oauth_client_id,
                client_secret=settings.oauth_client_secret,
                refresh_token=settings.oauth_refresh_token,
                scope=settings.oauth_scope,
            )
        )


def email_config(settings: EmailSettings, tokens: AccessTokens | None = None) -> EmailConfig | None:
    """How to write mails; None where no mail server is set. Raises BadSetting naming the wrong setting."""
    if not settings.smtp_host:
        return None
    with wrong_ones_named("The mail settings (COUNTERSIGN_MAIL_..., COUNTERSIGN_SMTP_...)"):
        return EmailConfig(
            instance_name=settings.instance_name,
            sender_address=settings.mail_sender,
            reply_address=settings.mail_reply_to or settings.mail_sender,
            keys=key_ring(settings.mail_keys.get_secret_value()),
            public_url=settings.public_url,
            smtp=SmtpConfig(
                host=settings.smtp_host,
                port=settings.smtp_port or SMTP_PORTS[settings.smtp_security],
                security=settings.smtp_security,
                username=settings.smtp_username,
                password=settings.smtp_password,
                access_token=tokens.fresh if tokens else None,
                connections=settings.smtp_connections,
            ),
        )


def authenticity(settings: EmailSettings) -> AuthenticityRule:
    """The rule that proves who sent a reply; off if none is configured, and then mail decides nothing."""
    tenant = settings.mail_tenant.strip().lower()
    if tenant and (settings.mail_rule != "exchange_online" or not TENANT.fullmatch(tenant)):
        raise BadSetting(
            "COUNTERSIGN_MAIL_TENANT is the id of your Microsoft 365 tenant, like "
            "00000000-0000-0000-0000-000000000000, and goes with COUNTERSIGN_MAIL_RULE=exchange_online; correct it, or "
            "leave it out."
        )
    if settings.mail_rule == "exchange_online":
        return AuthenticityRule(mode="authentication_results", exchange_online=True, tenant=tenant)
    authserv_id = settings.mail_authserv_id.strip()
    if settings.mail_rule == "authentication_results" and not authserv_id:
        raise BadSetting(
            "COUNTERSIGN_MAIL_AUTHSERV_ID is missing: COUNTERSIGN_MAIL_RULE=authentication_results needs the name that "
            "your mail server writes at the start of its Authentication-Results header."
        )
    return AuthenticityRule(mode=settings.mail_rule, authserv_id=authserv_id)


def languages(settings: EmailSettings) -> tuple[str, ...]:
    """The languages that replies are read in; all if none is named. Raises BadSetting if one is unknown."""
    named = tuple(dict.fromkeys(code.strip().lower() for code in settings.mail_languages.split(",") if code.strip()))
    if unknown := sorted({*named} - {*CODES}):
        raise BadSetting(
            f"COUNTERSIGN_MAIL_LANGUAGES names {', '.join(unknown)}, which is no language replies are read in; use "
            f"{', '.join(CODES)}, with commas between, or leave it out for all."
        )
    return named or CODES


def mailbox(settings: EmailSettings, tokens: AccessTokens | None = None) -> Mailbox | None:
    """Where replies come in; None where no mailbox is set. Raises BadSetting naming the wrong setting."""
    if not settings.imap_host:
        return None
    with wrong_ones_named("The settings of the mailbox (COUNTERSIGN_IMAP_...)"):
        return Mailbox(
            host=settings.imap_host,
            port=settings.imap_port or IMAP_PORTS[settings.imap_security],
            security=settings.imap_security,
            username=settings.imap_username,
            password=settings.imap_password,
            tokens=tokens,
            folder=settings.imap_folder,
        )


def key_ring(text: str) -> KeyRing:
    """Read `a1:<secret>,a0:<older secret>`; the first key signs, all verify."""
    if not text:
        raise BadSetting(
            "COUNTERSIGN_MAIL_KEYS is missing: set it to a1: and a random secret, such as a1:$(openssl rand -hex 32)."
        )
    pairs = [part.strip().partition(":") for part in text.split(",")]
    try:
        return KeyRing([(key_id, secret.encode()) for key_id, _, secret in pairs])
    except ValueError as error:
        raise BadSetting(f"COUNTERSIGN_MAIL_KEYS: {error}.") from None
