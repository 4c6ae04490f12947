"""Every setting, from the environment (`COUNTERSIGN_...`) or a `.env` file; documented in docs/settings.md.

Read only by the composition roots: worker.py, portal/__main__.py and sandbox/__main__.py.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an installation has to say; every default suits one machine with the sandbox's mail server."""

    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_", env_file=".env", extra="ignore", hide_input_in_errors=True
    )

    instance_name: str = "Countersign"
    database_url: str = "sqlite:///var/countersign.db"

    temporal_address: str = Field(default="127.0.0.1:7233", validation_alias="TEMPORAL_ADDRESS")
    temporal_namespace: str = Field(default="default", validation_alias="TEMPORAL_NAMESPACE")
    temporal_api_key: SecretStr = SecretStr("")
    temporal_tls: bool = False
    task_queue: str = "countersign"
    cached_workflows: int = Field(default=1000, ge=1)

    portal_host: str = "127.0.0.1"
    portal_port: int = Field(default=8080, ge=0, le=65535)
    portal_connections: int = Field(default=1000, ge=16)
    public_url: str = ""

    mail_keys: SecretStr = SecretStr("")
    mail_sender: str = "countersign@example.test"
    mail_reply_to: str = ""
    mail_rule: Literal["off", "authentication_results", "exchange_online", "dkim"] = "off"
    mail_authserv_id: str = ""

    smtp_host: str = ""
    smtp_port: int = Field(default=0, ge=0, le=65535)
    smtp_security: Literal["tls", "starttls", "none"] = "starttls"
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_connections: int = Field(default=8, ge=1, le=64)

    imap_host: str = ""
    imap_port: int = Field(default=0, ge=0, le=65535)
    imap_security: Literal["tls", "starttls", "none"] = "tls"
    imap_username: str = ""
    imap_password: SecretStr = SecretStr("")
    imap_folder: str = "INBOX"

    oauth_token_url: str = ""
    oauth_client_id: str = ""
    oauth_client_secret: SecretStr = SecretStr("")
    oauth_refresh_token: SecretStr = SecretStr("")
    oauth_scope: str = ""

    slack_mode: Literal["off", "socket", "http"] = "off"
    slack_bot_token: SecretStr = SecretStr("")
    slack_app_token: SecretStr = SecretStr("")
    slack_signing_secret: SecretStr = SecretStr("")
    slack_api_url: str = "https://slack.com/api/"

    keep_mails_days: int = Field(default=180, ge=1, le=36_500)
    keep_signals_days: int = Field(default=180, ge=1, le=36_500)
    keep_notifications_days: int = Field(default=180, ge=1, le=36_500)

    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @staticmethod
    def problems(error: ValidationError) -> str:
        """Say in words which settings are wrong, a line each, without the values."""
        return "\n".join(f"{_variable(one['loc'])}: {one['msg']}" for one in error.errors(include_input=False))

    @field_validator("database_url")
    @classmethod
    def _folder_exists(cls, url: str) -> str:
        if url.startswith("sqlite:///"):
            Path(url.removeprefix("sqlite:///")).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return url


def _variable(place: tuple[int | str, ...]) -> str:
    name = ".".join(str(part) for part in place)
    return name if name.isupper() else f"COUNTERSIGN_{name.upper()}"
