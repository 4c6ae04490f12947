"""The settings of mail: both servers, and what proves a reply; documented in docs/settings.md."""

from typing import Literal

from pydantic import Field, SecretStr

from notifiers.settings import ChannelSettings

Security = Literal["tls", "starttls", "none"]


class EmailSettings(ChannelSettings):
    """Mail's section of the settings."""

    mail_keys: SecretStr = SecretStr("")
    mail_sender: str = "countersign@example.test"
    mail_reply_to: str = ""
    mail_rule: Literal["off", "authentication_results", "exchange_online", "dkim"] = "off"
    mail_authserv_id: str = ""
    mail_tenant: str = ""
    mail_languages: str = ""

    smtp_host: str = ""
    smtp_port: int = Field(default=0, ge=0, le=65535)
    smtp_security: Security = "starttls"
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_connections: int = Field(default=8, ge=1, le=64)

    imap_host: str = ""
    imap_port: int = Field(default=0, ge=0, le=65535)
    imap_security: Security = "tls"
    imap_username: str = ""
    imap_password: SecretStr = SecretStr("")
    imap_folder: str = "INBOX"

    oauth_token_url: str = ""
    oauth_client_id: str = ""
    oauth_client_secret: SecretStr = SecretStr("")
    oauth_refresh_token: SecretStr = SecretStr("")
    oauth_scope: str = ""
