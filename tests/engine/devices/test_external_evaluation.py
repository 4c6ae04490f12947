"""External evaluations: asked of a real HTTPS server; only a signed yes to this very question lets anybody in."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from countersign.enrolment.evaluate import ExternalResult
from countersign.enrolment.facts import Facts
from countersign.enrolment.rules import EnrolmentRule, ExternalEvaluation
from engine.devices import external_evaluation
from engine.devices.external_evaluation import LARGEST_BYTES, ExternalEvaluations
from tests.notifiers.email.smtp_server import certificate

KEY = ECKey.generate_key("P-256", {"kid": "k1"})
STRANGER = ECKey.generate_key("P-256", {"kid": "k1"})
SECRET = OctKey.import_key("0" * 64)
FACTS = Facts(email="ann@a.example", user_groups=frozenset({"staff"}), country="DE", source_address="192.0.2.1")


def signed(claims: dict[str, Any], key: Any = KEY, algorithm: str = "ES256") -> str:
    header = {"alg": algorithm, "kid": "k1"}
    return jwt.encode(header, claims, key, algorithms=[algorithm])


@dataclass
class Endpoint:
    """A server over TLS: what it is asked, and what it answers."""

    port: int = 0
    asked: list[tuple[str, Any]] = field(default_factory=list)
    claims: Callable[[dict[str, Any]], dict[str, Any]] = lambda asked: good(asked)
    sign: Callable[[dict[str, Any]], str] = signed
    keys: Any = None
    respond: Callable[[BaseHTTPRequestHandler], bool] = lambda handler: False
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def evaluation(self) -> ExternalEvaluation:
        url = f"https://localhost:{self.port}"
        return ExternalEvaluation(url=f"{url}/evaluate", keys_url=f"{url}/keys")

    def rule(self, name: str = "R", **fields: Any) -> EnrolmentRule:
        evaluation = {"external_evaluations": [self.evaluation.model_dump()]}
        return EnrolmentRule.model_validate({"name": name, "action": "allow", "include": evaluation} | fields)


def good(asked: dict[str, Any], **others: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"success": True, "nonce": asked["nonce"], "iat": now, "exp": now + 60} | others


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def endpoint(tls: tuple[Path, ssl.SSLContext]) -> Iterator[Endpoint]:
    found = Endpoint(keys=KeySet([KEY]).as_dict(private=False))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append((self.path, None))
            self._answer(found.keys)

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.asked.append((self.path, asked))
            if not found.respond(self):
                self._answer({"token": found.sign(found.claims(asked))})

        def _answer(self, reply: Any) -> None:
            body = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Ignores the error when a client breaks off because it doesn't want the answer."""

    server = Server(("127.0.0.1", 0), Handler)
    server.socket = tls[1].wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def evaluations(tls: tuple[Path, ssl.SSLContext]) -> ExternalEvaluations:
    return ExternalEvaluations(ssl.create_default_context(cafile=str(tls[0])))


async def answer(evaluations: ExternalEvaluations, endpoint: Endpoint) -> ExternalResult:
    external = await evaluations.answers([endpoint.rule()], FACTS)
    return external(endpoint.evaluation)


async def test_it_is_given_the_facts_and_its_signed_answer_counts(
    evaluations: ExternalEvaluations, endpoint: Endpoint
) -> None:
    assert await answer(evaluations, endpoint) == ExternalResult(True)
    asked = dict(endpoint.asked)
    assert set(asked) == {"/evaluate", "/keys"}
    facts = asked["/evaluate"]["facts"]
    assert facts == FACTS.model_dump(mode="json")
    assert asked["/evaluate"]["exp"] > asked["/evaluate"]["iat"]
    endpoint.claims = lambda asked: good(asked, success=False)
    assert await answer(evaluations, endpoint) == ExternalResult(False)
    nonces = [asked["nonce"] for path, asked in endpoint.asked if path == "/evaluate"]
    assert len(set(nonces)) == 2


NOW = int(time.time())
WRONG_CLAIMS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "another nonce": lambda asked: good(asked, nonce="x" * 22),
    "no nonce": lambda asked: {key: value for key, value in good(asked).items() if key != "nonce"},
    "out of date": lambda asked: good(asked, iat=NOW - 600, exp=NOW - 300),
    "no end": lambda asked: {key: value for key, value in good(asked).items() if key != "exp"},
    "of the future": lambda asked: good(asked, iat=NOW + 3600, exp=NOW + 7200),
    "yes in words": lambda asked: good(asked, success="true"),
    "one": lambda asked: good(asked, success=1),
    "no answer": lambda asked: {key: value for key, value in good(asked).items() if key != "success"},
}


@pytest.mark.parametrize("wrong", WRONG_CLAIMS)
async def test_an_answer_that_says_something_else_is_none(
    evaluations: ExternalEvaluations, endpoint: Endpoint, wrong: str
) -> None:
    endpoint.claims = WRONG_CLAIMS[wrong]
    found = await answer(evaluations, endpoint)
    assert (found.yes, "its answer is not as it must be" in found.why) == (None, True)


async def test_an_answer_of_before_is_not_taken_again(evaluations: ExternalEvaluations, endpoint: Endpoint) -> None:
    kept: list[str] = []

    def once(claims: dict[str, Any]) -> str:
        kept.append(signed(claims))
        return kept[0]

    endpoint.sign = once
    assert (await answer(evaluations, endpoint)).yes is True
    assert (await answer(evaluations, endpoint)).yes is None


def unsigned(claims: dict[str, Any]) -> str:
    _, payload, _ = signed(claims).split(".")
    return f"eyJhbGciOiJub25lIn0.{payload}."  # {"alg":"none"}


SIGNERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "by a stranger with the same key id": lambda claims: signed(claims, STRANGER),
    "unsigned": unsigned,
    "by a secret": lambda claims: signed(claims, SECRET, "HS256"),
    "no token": lambda claims: "yes",
    "nested too deep": lambda claims: "." + "[" * 5000,
}


@pytest.mark.parametrize("signer", SIGNERS)
async def test_an_answer_that_it_has_not_signed_is_none(
    evaluations: ExternalEvaluations, endpoint: Endpoint, signer: str
) -> None:
    endpoint.sign = SIGNERS[signer]
    # Even if it publishes the secret among its keys.
    endpoint.keys = {"keys": [*endpoint.keys["keys"], SECRET.as_dict(private=True)]}
    assert (await answer(evaluations, endpoint)).yes is None


@pytest.mark.parametrize("keys", [{}, {"keys": []}, {"keys": "k"}, [], None, {"keys": [{"kty": "EC"}]}])
async def test_without_keys_there_is_no_answer(
    evaluations: ExternalEvaluations, endpoint: Endpoint, keys: object
) -> None:
    endpoint.keys = keys
    assert (await answer(evaluations, endpoint)).yes is None


def redirects(handler: BaseHTTPRequestHandler) -> bool:
    """Redirect to an address of the same server, which would even give a right answer."""
    handler.send_response(307)
    handler.send_header("Location", "/other")
    handler.send_header("Content-Length", "0")
    handler.end_headers()
    return True


def too_much(handler: BaseHTTPRequestHandler) -> bool:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b'{"token": "' + b"x" * 2 * LARGEST_BYTES)
    handler.wfile.flush()
    return True


def sends(status: int, body: bytes) -> Callable[[BaseHTTPRequestHandler], bool]:
    def respond(handler: BaseHTTPRequestHandler) -> bool:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        return True

    return respond


def breaks_off(handler: BaseHTTPRequestHandler) -> bool:
    handler.connection.close()
    return True


@pytest.mark.parametrize(
    "respond",
    [
        redirects,
        too_much,
        breaks_off,
        sends(500, b"{}"),
        sends(200, b"yes"),
        sends(200, b"[" * 20_000),
        sends(200, b'{"success": true}'),
        sends(200, b'{"token": true}'),
        sends(200, b"\xff"),
    ],
)
async def test_what_is_no_answer_is_none(
    evaluations: ExternalEvaluations, endpoint: Endpoint, respond: Callable[[BaseHTTPRequestHandler], bool]
) -> None:
    endpoint.respond = respond
    assert (await answer(evaluations, endpoint)).yes is None
    assert not [path for path, _ in endpoint.asked if path == "/other"]


async def test_who_takes_too_long_gives_no_answer_and_the_others_have_no_time_left(
    evaluations: ExternalEvaluations, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_evaluation, "SECONDS_IN_ALL", 0.2)

    def hangs(handler: BaseHTTPRequestHandler) -> bool:
        endpoint.released.wait(60)
        return True

    endpoint.respond = hangs
    again = {"external_evaluations": [endpoint.evaluation.model_dump() | {"keys_url": "https://localhost:1/keys"}]}
    rules = [endpoint.rule(), endpoint.rule("second", include=again)]
    external = await evaluations.answers(rules, FACTS)
    assert external(endpoint.evaluation) == ExternalResult(None, "it took too long")
    assert external(rules[1].include.external_evaluations[0]) == ExternalResult(None, "it took too long")


async def test_who_can_not_prove_the_name_or_be_reached_gives_no_answer(
    evaluations: ExternalEvaluations, endpoint: Endpoint
) -> None:
    by_number = f"https://127.0.0.1:{endpoint.port}/"  # the certificate is for localhost
    for one, tried in (
        (endpoint.evaluation, ExternalEvaluations()),  # its authority is not trusted
        (ExternalEvaluation(url=by_number, keys_url=by_number), evaluations),
        (ExternalEvaluation(url="https://localhost:1/", keys_url="https://localhost:1/"), evaluations),
    ):
        rule = endpoint.rule(include={"external_evaluations": [one.model_dump()]})
        found = (await tried.answers([rule], FACTS))(one)
        assert (found.yes, "it can't be reached" in found.why) == (None, True)
    assert endpoint.asked == []


async def test_only_those_are_asked_to_whom_the_rules_come(
    evaluations: ExternalEvaluations, endpoint: Endpoint
) -> None:
    includes = {"external_evaluations": [endpoint.evaluation.model_dump()]}
    not_come_to = [
        [endpoint.rule("decides", include={"countries": ["DE"]}), endpoint.rule()],
        [endpoint.rule(include={"countries": ["AT"]}, require=includes)],
        [endpoint.rule(include={"countries": ["DE"]} | includes)],
    ]
    for rules in not_come_to:
        external = await evaluations.answers(rules, FACTS)
        assert external(endpoint.evaluation).why == "it was not asked"
    assert endpoint.asked == []
