"""The settings of an installation whose mail server is the sandbox's."""

import secrets
from pathlib import Path

from sandbox.mail_server import DOMAIN, ENGINE, HOST, PASSWORD
from store.file_permissions import write_for_us_alone

SECRET_BYTES = 32


def mail_settings(smtp_port: int, imap_port: int, mail_keys: str) -> dict[str, str]:
    """The environment that points the worker at the sandbox, under the same rule of authenticity as a real server."""
    return {
        "COUNTERSIGN_MAIL_KEYS": mail_keys,
        "COUNTERSIGN_MAIL_SENDER": f"{ENGINE}@{DOMAIN}",
        "COUNTERSIGN_MAIL_RULE": "authentication_results",
        "COUNTERSIGN_MAIL_AUTHSERV_ID": f"mail.{DOMAIN}",
        **_server("SMTP", smtp_port),
        **_server("IMAP", imap_port),
    }


def _server(kind: str, port: int) -> dict[str, str]:
    values = {"HOST": HOST, "PORT": str(port), "SECURITY": "none", "USERNAME": ENGINE, "PASSWORD": PASSWORD}
    return {f"COUNTERSIGN_{kind}_{name}": value for name, value in values.items()}


def new_mail_keys() -> str:
    """A fresh secret for the tokens in mails, in the format of COUNTERSIGN_MAIL_KEYS."""
    return f"a1:{secrets.token_hex(SECRET_BYTES)}"


def kept_mail_keys(file: Path) -> str:
    """The secret kept in the file, made at the first call: mails of an earlier run can still be answered."""
    if not file.exists():
        write_for_us_alone(file, new_mail_keys())
    return file.read_text()
