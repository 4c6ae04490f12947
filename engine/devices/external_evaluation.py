"""Asks the endpoints that enrolment rules name; only a signed yes or no counts, and nothing else lets anybody in.

All of it is done before a transaction, as an endpoint may take seconds.
"""

import asyncio
import json
import logging
import secrets
import ssl
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from countersign.enrolment.evaluate import NOT_ASKED, External, ExternalResult, evaluate
from countersign.enrolment.facts import Facts
from countersign.enrolment.rules import EnrolmentRule, ExternalEvaluation
from engine.credentials.signed_tokens import LEEWAY_SECONDS, decoded

# How long one evaluation may take, fetching its keys included, and all of an enrolment.
SECONDS_EACH = 5.0
SECONDS_IN_ALL = 10.0
LARGEST_BYTES = 64 * 1024
NONCE_BYTES = 16
# What a hostile answer may raise on its way through the parsers.
WRONG = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)

log = logging.getLogger(__name__)


class _Wanted(Exception):
    """The rules need an evaluation that was not asked yet."""


class ExternalEvaluations:
    """Asks external evaluations. `tls`: whom to trust, by default the authorities that browsers trust."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._given = tls

    async def answers(self, rules: Sequence[EnrolmentRule], facts: Facts) -> External:
        """The answers of the endpoints that the rules need, asked one after another; all others count as not asked."""
        known: dict[ExternalEvaluation, ExternalResult] = {}
        end = time.monotonic() + SECONDS_IN_ALL
        while (one := _next(rules, facts, known)) is not None:
            known[one] = await self._answer(one, facts, min(SECONDS_EACH, end - time.monotonic()))
        return lambda one: known.get(one, NOT_ASKED)

    async def _answer(self, one: ExternalEvaluation, facts: Facts, seconds: float) -> ExternalResult:
        try:
            async with asyncio.timeout(seconds):
                return ExternalResult(await self._ask(one, facts))
        except TimeoutError:
            why = "it took too long"
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            why = f"it can't be reached ({type(error).__name__})"
        except WRONG as error:
            why = f"its answer is not as it must be ({type(error).__name__})"
        log.warning("the external evaluation %s gives no answer: %s", one.url, why)
        return ExternalResult(None, why)

    async def _ask(self, one: ExternalEvaluation, facts: Facts) -> bool:
        """Whether it says yes."""
        nonce, now = secrets.token_urlsafe(NONCE_BYTES), int(time.time())
        asked = {"nonce": nonce, "iat": now, "exp": now + int(SECONDS_EACH), "facts": facts.model_dump(mode="json")}
        async with httpx.AsyncClient(verify=self._tls, timeout=SECONDS_EACH, follow_redirects=False) as client:
            reply = await _json(client, "POST", one.url, asked)
            # The keys are fetched each time, so that a new one counts at once, and a withdrawn one no longer.
            keys = await _json(client, "GET", one.keys_url)
        token = decoded(reply["token"], KeySet.import_key_set(keys))  # type: ignore[arg-type]
        JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            nonce={"essential": True, "value": nonce},
            iat={"essential": True},
            exp={"essential": True},
        ).validate(token.claims)
        if not isinstance(yes := token.claims["success"], bool):
            raise TypeError
        return yes

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self._given or httpx.create_ssl_context()


def _next(
    rules: Sequence[EnrolmentRule], facts: Facts, known: Mapping[ExternalEvaluation, ExternalResult]
) -> ExternalEvaluation | None:
    """The evaluation that the rules need next; None if what is known decides."""

    def answer(one: ExternalEvaluation) -> ExternalResult:
        if one not in known:
            raise _Wanted(one)
        return known[one]

    try:
        evaluate(rules, facts, answer)
    except _Wanted as wanted:
        found: ExternalEvaluation = wanted.args[0]
        return found
    return None


async def _json(client: httpx.AsyncClient, method: str, url: str, body: object = None) -> dict[str, Any]:
    """The JSON object at a URL. Raises HTTPError; ValueError or TypeError for anything else, a redirect too."""
    # Nothing is decompressed: a small body may unpack to a huge one.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with client.stream(method, url, json=body, headers=headers) as response:
        if response.status_code != httpx.codes.OK:
            raise ValueError
        received = b""
        async for part in response.aiter_raw():
            received += part
            if len(received) > LARGEST_BYTES:
                raise ValueError
    found = json.loads(received)
    if not isinstance(found, dict):
        raise TypeError
    return found
