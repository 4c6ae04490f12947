"""Every setting, from the environment (`COUNTERSIGN_...`) or a `.env` file; documented in docs/settings.md.

Read only by the composition roots (worker.py, portal/__main__.py, sandbox/), by `configuration.load`. Each channel has
its section beside its code (`notifiers/<channel>/settings.py`).
"""

import os
import re
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from countersign.durations import duration_parser
from notifiers import AllSettings

ENV_FILE = ".env"
EXAMPLES = "sqlite:///var/countersign.db or postgresql://user:password@host/database"
# The parameters that the URL of a database may have: the driver's others don't take text.
DATABASE_OPTIONS = {"application_name"}
# Host and port, the host in brackets if it is an IPv6 address (RFC 3986, section 3.2.2).
HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]@]+):([0-9]{1,5})")

# The bytes that an open request takes in a worker, and the part of all memory (1 in 4) that open requests may take.
WORKFLOW_BYTES = 110_000
SHARE_OF_MEMORY = 4
# The memory limit of a container, in cgroups version 2 and 1: a number of bytes, or "max".
# https://docs.kernel.org/admin-guide/cgroup-v2.html, https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
LIMITS = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")

Network = IPv4Network | IPv6Network
# A number alone means days, as it always did.
Days = Annotated[timedelta, BeforeValidator(duration_parser("days"))]
HttpValid = Annotated[timedelta, BeforeValidator(duration_parser("seconds", longest=timedelta(hours=12)))]


class Settings(BaseSettings, AllSettings):
    """The settings of an installation; every default suits one machine with the sandbox's mail server."""

    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_", env_file=ENV_FILE, extra="ignore", hide_input_in_errors=True
    )

    database_url: str = "sqlite:///var/countersign.db"

    temporal_address: str = Field(default="127.0.0.1:7233", validation_alias="TEMPORAL_ADDRESS")
    temporal_namespace: str = Field(default="default", validation_alias="TEMPORAL_NAMESPACE")
    temporal_api_key: SecretStr = SecretStr("")
    temporal_tls: bool = False
    task_queue: str = "countersign"
    cached_workflows: int = Field(default_factory=lambda: workflows_that_fit(memory()), ge=1)

    portal_host: str = "127.0.0.1"
    portal_port: int = Field(default=8080, ge=0, le=65535)
    requests_an_hour: int = Field(default=60, ge=0)
    refusals_an_hour: int = Field(default=100, ge=0)
    calls_a_minute: int = Field(default=6000, ge=0)
    http_valid_seconds: HttpValid = timedelta(hours=1)
    portal_connections: int = Field(default=1000, ge=16)
    tls_proxies: str = ""
    # The header in which a service token may be sent as one JSON object (RFC 9110, 5.6.2 says what a name may hold).
    service_token_header: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9-]{1,64}$")

    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_scopes: str = "openid email"
    oidc_name: str = "single sign-on"

    rdp_gate: str = ""

    country_file: str = ""

    keep_mails_days: Days = timedelta(days=180)
    keep_signals_days: Days = timedelta(days=180)
    keep_notifications_days: Days = timedelta(days=180)

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"

    @property
    def temporal(self) -> dict[str, Any]:
        """The arguments of `Client.connect` for reaching Temporal."""
        return {
            "address": self.temporal_address,
            "namespace": self.temporal_namespace,
            "task_queue": self.task_queue,
            "tls": self.temporal_tls,
            "api_key": self.temporal_api_key.get_secret_value() or None,
        }

    @field_validator("database_url")
    @classmethod
    def _one_of_the_databases(cls, text: str) -> str:
        """Have any PostgreSQL URL use our driver; make the folder of an SQLite file."""
        url = _database_url(text)
        if url.get_backend_name() == "sqlite":
            Path(url.database or "").parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return url.render_as_string(hide_password=False)

    @property
    def tls_networks(self) -> list[Network]:
        """The addresses of the TLS servers in front of the portal."""
        return networks(self.tls_proxies)

    @field_validator("tls_proxies")
    @classmethod
    def _addresses(cls, text: str) -> str:
        networks(text)
        return text

    @field_validator("rdp_gate")
    @classmethod
    def _host_perhaps_with_port(cls, text: str) -> str:
        if text and not (HOST_AND_PORT.fullmatch(text) or HOST_AND_PORT.fullmatch(f"{text}:3389")):
            raise ValueError("must be HOST or HOST:PORT, such as rdp.example.com, as RDP clients reach it")
        return text

    @field_validator("temporal_address")
    @classmethod
    def _host_and_port(cls, text: str) -> str:
        if not HOST_AND_PORT.fullmatch(text):
            raise ValueError("must be HOST:PORT, such as 127.0.0.1:7233, without https://")
        return text


def memory() -> int:
    """Bytes of memory that this machine has, or that its container may use."""
    limits = [path.read_text().strip() for path in LIMITS if path.is_file()]
    all_there_is = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([all_there_is, *(int(limit) for limit in limits if limit.isdecimal())])


def workflows_that_fit(available: int) -> int:
    """How many open requests a worker keeps in memory, if this many bytes are available."""
    return max(1, available // SHARE_OF_MEMORY // WORKFLOW_BYTES)


def networks(text: str) -> list[Network]:
    """The addresses and networks in a list with commas; ValueError for anything else, or one that holds everybody."""
    try:
        found = [ip_network(one.strip()) for one in text.split(",") if one.strip()]
    except ValueError:
        raise ValueError(
            "must be IP addresses or networks with commas between, such as 127.0.0.1 or 10.0.0.0/29"
        ) from None
    if not all(one.prefixlen for one in found):
        raise ValueError("must not hold every address: anybody could pass on a certificate that is not theirs")
    return found


def _database_url(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(
            f"must be a URL such as {EXAMPLES}; in a password write @ as %40, : as %3A, / as %2F and % as %25"
        ) from None
    kind = url.drivername.partition("+")[0]
    if kind == "sqlite":
        if not url.database or url.database == ":memory:":
            raise ValueError(f"must name a file that worker and portal share, such as {EXAMPLES}")
        return url.set(drivername="sqlite")
    if kind not in {"postgresql", "postgres"}:
        raise ValueError(f"must be for SQLite or PostgreSQL, such as {EXAMPLES}")
    if unknown := sorted(set(url.query) - DATABASE_OPTIONS):
        raise ValueError(f"has an option behind its ? that can't be set there ({unknown[0][:20]}); leave it out")
    return url.set(drivername="postgresql+pg8000")
