"""Access tokens from a local token endpoint, and a Dovecot that takes nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from pydantic import SecretStr, ValidationError

from countersign.errors import Unavailable
from notifiers.email.mailbox.oauth import AccessTokens, OAuth
from tests.dovecot import WHY_NOT, Account, Dovecot, dovecot_binary
from tests.notifiers.email.memory_ledger import MemoryLedger
from tests.notifiers.email.token_server import CLIENT_ID, CLIENT_SECRET, USERNAME, TokenServer
from tests.notifiers.email.watching import Watching, mailbox_on


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with TokenServer() as running:
        yield running


def oauth_for(server: TokenServer, **changes: str) -> OAuth:
    settings = {"token_url": server.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "scope": "mail"}
    return OAuth.model_validate(settings | changes)


def test_client_credentials_give_a_token_that_is_kept_while_it_lasts(server: TokenServer) -> None:
    tokens = AccessTokens(oauth_for(server))
    assert [tokens(), tokens()] == ["token-1", "token-1"]
    assert server.asked == [
        {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scope": "mail",
        }
    ]


def test_a_token_about_to_end_or_refused_is_renewed(server: TokenServer) -> None:
    tokens = AccessTokens(oauth_for(server))
    server.lasts = 30
    assert [tokens(), tokens()] == ["token-1", "token-2"]
    server.lasts = 3600
    assert [tokens(), tokens()] == ["token-3", "token-3"]
    tokens.forget()
    assert tokens() == "token-4"


async def test_refresh_tokens_are_followed_as_they_change(server: TokenServer) -> None:
    tokens = AccessTokens(oauth_for(server, refresh_token="refresh-0"))
    server.lasts = 0
    assert [await tokens.fresh(), await tokens.fresh()] == ["token-1", "token-2"]
    assert [form["refresh_token"] for form in server.asked] == ["refresh-0", "refresh-1"]
    assert {form["grant_type"] for form in server.asked} == {"refresh_token"}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ((400, b'{"error": "invalid_grant"}'), r"answered 400 \(invalid_grant\)\.$"),
        ((400, b'{"error": "<secret words>"}'), r"answered 400\.$"),
        ((503, b"<html>down</html>"), r"answered 503\.$"),
        ((200, b"not json"), "holds no access token"),
        ((200, b'{"access_token": ["secret-token"]}'), "holds no access token"),
        ((200, b"[]"), "holds no access token"),
    ],
)
def test_a_token_server_that_gives_none_is_tried_again_later(
    server: TokenServer, fault: tuple[int, bytes], message: str
) -> None:
    tokens = AccessTokens(oauth_for(server))
    server.fault = fault
    with pytest.raises(Unavailable, match=message) as failure:
        tokens()
    assert "secret" not in str(failure.value)
    server.fault = None
    assert tokens() == "token-2"


def test_a_token_server_that_is_down_is_tried_again_later(server: TokenServer) -> None:
    with TokenServer() as gone:
        tokens = AccessTokens(oauth_for(gone))
    with pytest.raises(Unavailable, match="cannot be reached: ConnectError"):
        tokens()


@pytest.mark.parametrize("url", ["http://login.example.test/token", "ftp://127.0.0.1/token", "token"])
def test_secrets_travel_encrypted_only(url: str) -> None:
    with pytest.raises(ValidationError, match="use an https:// address"):
        OAuth(token_url=url, client_id="c", client_secret=SecretStr("s"))


@pytest.mark.skipif(dovecot_binary() is None, reason=WHY_NOT)
def test_the_watcher_logs_in_by_xoauth2_and_gets_another_token_when_one_is_refused(
    server: TokenServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    introspection = (
        f"introspection_mode = post\nintrospection_url = {server.introspection_url}\nusername_attribute = email\n"
    )
    with Dovecot(oauth2=introspection) as dovecot:
        account = Account(dovecot, USERNAME)
        tokens = AccessTokens(oauth_for(server))
        assert tokens() == "token-1"
        server.good.clear()  # revoked before its time
        account.deliver(b"Subject: x\r\n\r\none")
        with Watching(mailbox_on(account, password="", tokens=tokens), MemoryLedger()) as watching:
            watching.until_handled(b"one")
    assert tokens() == "token-2"
    assert "token-2" not in caplog.text
