"""The doctor's checks of mail, on real servers: each thing that can be wrong, and its remedy."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import SecretStr

from countersign.errors import CountersignError
from countersign.views import Finding
from notifiers.email import doctor
from notifiers.email.config import AuthenticityRule, SmtpConfig
from notifiers.email.doctor import email_checks
from notifiers.email.mailbox.login import Mailbox
from notifiers.email.read_settings import EmailChannel
from tests.notifiers.email.notifications import config
from tests.notifiers.email.servers import Server
from tests.notifiers.email.smtp_server import PASSWORD, USER, MailServer, serving

IN_CLEAR = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
pytestmark = pytest.mark.asyncio
RULE = AuthenticityRule(mode="dkim")


def smtp(port: int, **changed: Any) -> SmtpConfig:
    return SmtpConfig(**{"host": "127.0.0.1", "port": port, "security": "none", **changed})


def mailbox(server: Server, **changed: Any) -> Mailbox:
    login = {"username": server.username, "password": SecretStr(server.password)}
    return Mailbox(**{"host": server.host, "port": server.port, "security": "none", **login, **changed})


async def look(smtp: SmtpConfig | None, place: Mailbox | None, rule: AuthenticityRule = RULE) -> dict[str, Finding]:
    """What all checks find; an error that a check raises becomes a problem, as in the portal."""
    email = EmailChannel(config(smtp) if smtp else None, place, rule, None)
    found: list[Finding] = []
    for check in email_checks(email):
        try:
            found += await check.run(None)
        except CountersignError as error:
            found.append(Finding(part=check.part, state="problem", about=check.about, message=str(error)))
    return {one.about: one for one in found}


@IN_CLEAR
async def test_all_is_well_and_nothing_is_sent(server: Server) -> None:
    out = MailServer()
    async with serving(out, authenticator=out.checks, auth_required=True, auth_require_tls=False):
        found = await look(smtp(out.port, username=USER, password=PASSWORD), mailbox(server))
    assert {about: one.state for about, one in found.items()} == dict.fromkeys(
        ["SMTP", "reply address", "mailbox", "rule"], "ok"
    )
    assert f"as {USER}, unencrypted" in found["SMTP"].message
    assert out.mails == []
    assert [each for each in out.commands if each.startswith("DATA")] == []


@IN_CLEAR
async def test_a_refused_login_names_the_remedy_and_no_secret(server: Server) -> None:
    out, secret = MailServer(), "wr0ng-one"
    async with serving(out, authenticator=out.checks, auth_required=True, auth_require_tls=False):
        found = await look(smtp(out.port, username=USER, password=secret), None)
    assert found["SMTP"].state == "problem"
    assert "check username and password" in found["SMTP"].message
    assert secret not in found["SMTP"].message


async def test_a_server_that_does_not_encrypt_is_a_problem() -> None:
    async with serving() as out:
        found = await look(smtp(out.port, security="starttls"), None)
    assert (found["SMTP"].state, "STARTTLS" in found["SMTP"].message) == ("problem", True)


@pytest.mark.parametrize(("reply", "state"), [("550 5.1.1 Unknown", "warning"), ("451 4.7.1 Greylisted", "ok")])
async def test_a_server_that_takes_no_plus_addresses(reply: str, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = MailServer()
    monkeypatch.setattr(doctor, "SOME_TOKEN", "a1")
    out.replies["RCPT answers+1-1-a1@acme.example"] = reply
    async with serving(out):
        found = await look(smtp(out.port), None)
    assert found["reply address"].state == state
    assert found["SMTP"].state == "ok"


async def test_nothing_is_set() -> None:
    found = await look(None, None)
    assert {about: one.state for about, one in found.items()} == {"SMTP": "problem", "mailbox": "warning"}
    assert "COUNTERSIGN_SMTP_HOST" in found["SMTP"].message
    assert "COUNTERSIGN_IMAP_HOST" in found["mailbox"].message


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (AuthenticityRule(mode="dkim"), "DKIM signature"),
        (AuthenticityRule(mode="authentication_results", exchange_online=True), "Authentication-Results header"),
    ],
    ids=["dkim", "authentication-results"],
)
async def test_a_rule_is_said_in_words(server: Server, rule: AuthenticityRule, expected: str) -> None:
    found = (await look(None, mailbox(server), rule))["rule"]
    assert (found.state, expected in found.message, "_" in found.message) == ("ok", True, False)


async def test_a_rule_that_is_off_decides_nothing(server: Server) -> None:
    found = await look(None, mailbox(server), AuthenticityRule(mode="off"))
    assert (found["rule"].state, "COUNTERSIGN_MAIL_RULE" in found["rule"].message) == ("problem", True)


async def test_a_folder_that_is_not_there(server: Server) -> None:
    found = await look(None, mailbox(server, folder="Approvals/New"))
    assert (found["mailbox"].state, "COUNTERSIGN_IMAP_FOLDER" in found["mailbox"].message) == ("warning", True)
    again = await look(None, mailbox(server, folder="Approvals/New"))
    assert again["mailbox"].state == "warning", "looking made it"


async def test_a_mailbox_that_refuses_the_login(server: Server) -> None:
    found = await look(None, mailbox(server, password=SecretStr("wr0ng-one")))
    assert found["mailbox"].state == "problem"
    assert "COUNTERSIGN_IMAP_USERNAME" in found["mailbox"].message
    assert "wr0ng-one" not in found["mailbox"].message


async def test_servers_that_are_not_there_are_told_in_time() -> None:
    start = time.monotonic()
    nowhere = Mailbox(host="127.0.0.1", port=1, security="none", username="countersign")
    found = await look(smtp(1), nowhere)
    assert {found["SMTP"].state, found["mailbox"].state} == {"problem"}
    assert "127.0.0.1:1" in found["SMTP"].message + found["mailbox"].message
    assert time.monotonic() - start < 5
