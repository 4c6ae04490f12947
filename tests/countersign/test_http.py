"""The HTTP client against servers that answer badly: each error names a remedy, and nothing is asked twice."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from countersign.errors import (
    BadPolicy,
    BadQuestion,
    CountersignError,
    NotAllowed,
    NotFound,
    Refused,
    TooMany,
    Unavailable,
)
from countersign.http import LARGEST_ANSWER_BYTES, Api, is_loopback
from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from sandbox.temporal_server import free_port
from tests.authority import SERVER, Authority
from tests.countersign.scripted import Server

QUESTION = ConnectionQuestion(requester="alice", device="db-1", protocol=ConnectionProtocol.SSH)
ASKED = {"approval_id": 1042, "status": "Waiting", "joined": False}


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    with Api(server.url, "cs_secret") as api:
        yield api


def test_a_lost_connection_is_tried_once_more_with_the_same_key(server: Server, api: Api) -> None:
    server.will_hang_up()
    server.will_say(201, ASKED)
    assert api.ask(QUESTION).approval_id == 1042
    first, second = server.seen
    assert first["Idempotency-Key"] == second["Idempotency-Key"] != ""
    assert second["Authorization"] == "Bearer cs_secret"


def test_a_connection_lost_twice_is_unavailable(server: Server, api: Api) -> None:
    server.will_hang_up()
    server.will_hang_up()
    with pytest.raises(Unavailable, match="broke the connection off; try again"):
        api.ask(QUESTION)
    assert len(server.seen) == 2


def test_each_question_has_a_key_of_its_own(server: Server, api: Api) -> None:
    for _ in range(2):
        server.will_say(201, ASKED)
        api.ask(QUESTION)
    assert server.seen[0]["Idempotency-Key"] != server.seen[1]["Idempotency-Key"]


def test_where_nobody_listens_the_remedy_is_named() -> None:
    with Api(f"http://127.0.0.1:{free_port()}") as api, pytest.raises(Unavailable) as error:
        api.me()
    assert "can't be reached (Connection refused). Is the portal running? Set COUNTERSIGN_URL" in str(error.value)


def test_the_authorities_of_this_machine_are_trusted_and_of_another_the_remedy_is_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority()
    issued = authority.issue("localhost", [SERVER], ["localhost"])
    (tmp_path / "portal.pem").write_text(issued.pem + issued.key_pem)
    (tmp_path / "authority.pem").write_text(authority.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "portal.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = server.url.replace("http://127.0.0.1", "https://localhost")
    with Api(url) as api, pytest.raises(Unavailable, match="update-ca-certificates"):
        api.ask(QUESTION)
    # OpenSSL reads this file instead of the machine's own authorities.
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    server.will_say(201, ASKED)
    with Api(url) as api:
        assert api.ask(QUESTION).approval_id == 1042


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadQuestion),
        (401, NotAllowed),
        (403, NotAllowed),
        (404, NotFound),
        (409, Refused),
        (413, BadQuestion),
        (422, BadQuestion),
        (429, TooMany),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_each_problem_becomes_its_error_in_its_words(
    server: Server, api: Api, status: int, kind: type[CountersignError]
) -> None:
    server.will_say(status, {"title": "No", "status": status, "detail": "Do this instead."})
    with pytest.raises(CountersignError, match="Do this instead") as error:
        api.request(1042)
    assert type(error.value) is kind


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(30, 30), (10**30, 86400), (-5, 1), (0, 1), ("soon", 1), (None, 1), ([], 1), (float("inf"), 1)],
)
def test_of_when_to_try_again_only_what_can_be_is_believed(
    server: Server, api: Api, said: object, seconds: int
) -> None:
    server.will_say(429, {"title": "Too many", "detail": "Wait.", "retry_after": said})
    with pytest.raises(TooMany) as error:
        api.request(1042)
    assert error.value.retry_after == seconds


@pytest.mark.parametrize(
    ("asked_from", "same", "yes"), [("10.0.0.7", True, True), ("", True, False), ("", False, True)]
)
def test_a_yes_for_another_address_is_refused_here(
    server: Server, api: Api, asked_from: str, same: bool, yes: bool
) -> None:
    noon = "2026-01-05T12:00:00Z"
    grant = {"approval_id": 1042, "status": "Active", "starts_at": noon, "ends_at": noon, "source_address": "10.0.0.7"}
    server.will_say(200, ASKED | {"status": "Approved", "grant": grant | {"same_source_address": same}})
    question = QUESTION.model_copy(update={"source_address": asked_from})
    with nullcontext() if yes else pytest.raises(Refused, match="another source address"):
        assert api.ask(question).grant is not None


def test_a_problem_tells_programs_which_it_is(server: Server, api: Api) -> None:
    kind = {"type": "/api/v1/problems/too-many-minutes", "title": "Too long", "status": 409}
    server.will_say(409, kind | {"detail": "Too long.", "minutes": 5, "limit": 2, "code": "x", "words": "y"})
    with pytest.raises(Refused) as raised:
        api.request(1042)
    assert (raised.value.code, str(raised.value)) == ("too-many-minutes", "Too long.")
    assert raised.value.fields == {"minutes": 5, "limit": 2, "words": "y"}


@pytest.mark.parametrize("kind", ["about:blank", "https://example.com/problems/x", 7, None])
def test_a_problem_of_another_kind_is_what_its_status_says(server: Server, api: Api, kind: object) -> None:
    server.will_say(409, {"type": kind, "detail": "No."})
    with pytest.raises(Refused) as raised:
        api.request(1042)
    assert raised.value.code == "refused"


def test_the_mistakes_of_a_policy_arrive_one_by_one(server: Server, api: Api) -> None:
    server.will_say(422, {"detail": "The policy has 2 problems.", "problems": ["line 1: a", "line 2: b"]})
    with pytest.raises(BadPolicy) as error:
        api.apply_policy("users: {}")
    assert error.value.problems == ["line 1: a", "line 2: b"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>Welcome to nginx!</html>"),
        (200, {"approval_id": "many"}),
        (200, []),
        (200, b"[" * 100_000),
        (200, b'"\xff"'),
        (404, b"<html>Not Found</html>"),
        (404, {"error": "no"}),
        (302, b""),
    ],
)
def test_what_is_not_countersign_is_said_to_be_none(server: Server, api: Api, status: int, body: object) -> None:
    server.will_say(status, body, Location="http://127.0.0.1:9/")
    with pytest.raises(Unavailable, match="is not Countersign; set COUNTERSIGN_URL to the portal"):
        api.request(1042)
    assert len(server.seen) == 1


def test_events_without_their_version_are_none_of_ours(server: Server, api: Api) -> None:
    server.will_say(200, [])
    with pytest.raises(Unavailable, match="is not Countersign"):
        api.events(3)
    server.will_say(200, [], Countersign_Version="7")
    assert api.events(3) == ([], 7)
    assert server.seen[-1]["path"] == "/api/v1/events?timeout=25.0&after=3"


def test_an_endless_answer_is_not_read_to_its_end(server: Server, api: Api) -> None:
    server.will_say(200, b" " * (LARGEST_ANSWER_BYTES + 1))
    with pytest.raises(Unavailable, match="the rest was not read"):
        api.me()


def test_what_a_newer_portal_adds_is_left_out(server: Server, api: Api) -> None:
    server.will_say(200, {"name": "alice", "kind": "person", "admin": False, "shoe_size": 38})
    assert api.me().name == "alice"


def test_control_characters_never_arrive(server: Server, api: Api) -> None:
    server.will_say(409, {"detail": "no\x1b]0;owned\x07 \u202eway"})
    with pytest.raises(Refused) as error:
        api.ask(QUESTION)
    assert str(error.value) == "no]0;owned way"


def test_health_is_told_also_when_it_is_bad(server: Server, api: Api) -> None:
    server.will_say(503, {"database": True, "temporal": False})
    assert api.health().temporal is False


def test_the_portal_may_live_below_a_path(server: Server) -> None:
    server.will_say(200, {"name": "alice", "kind": "person", "admin": False})
    with Api(f"{server.url}/access/", "cs_secret") as api:
        api.me()
    assert server.seen[0]["path"] == "/access/api/v1/me"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Api("access.example.com"),
        lambda: Api("ftp://access.example.com"),
        lambda: Api("http://alice:5ec2e7@access.example.com"),
        lambda: Api("http://access.example.com/?token=5ec2e7"),
        lambda: Api("http://[::1"),
        lambda: Api(""),
        lambda: Api("http://127.0.0.1", "5ec2e7\r\nX-More: 1"),
        lambda: Api("http://127.0.0.1", "5ec2e7 5ec2e7"),
        lambda: Api("http://127.0.0.1", "5ec2e7é"),
    ],
)
def test_an_address_or_token_that_can_be_none_is_refused_unseen(make: Callable[[], Api]) -> None:
    with pytest.raises(BadQuestion, match=r"COUNTERSIGN_URL|The token holds") as error:
        make()
    assert "5ec2e7" not in str(error.value)


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("localhost.example.com", False)],
)
def test_what_stays_on_this_machine(host: str, here: bool) -> None:
    assert is_loopback(host) is here
