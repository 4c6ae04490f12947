"""The one place that calls Slack's Web API: rate-limited, and with every failure as one of our errors."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from countersign.errors import Unavailable
from countersign.models import Model
from notifiers.slack.client import errors
from notifiers.slack.client.log_redaction import redacting_logger
from notifiers.slack.client.rate_limit import RateLimit
from notifiers.slack.config import SlackConfig

# For one call. Slack answers within a second, and another try does no harm.
TIMEOUT_SECONDS = 10.0
# If Slack says "too many" without saying for how long.
USUAL_DELAY = 30.0
LONGEST_DELAY = 3600.0
NOT_SAID = "Slack does not say who the app is: set a bot token, which begins with xoxb-"


class Self(Model):
    """Who the app is in Slack: https://docs.slack.dev/reference/methods/auth.test."""

    team_id: str
    bot_id: str
    enterprise_id: str = ""


class SlackApi:
    """Calls as the app's bot, over persistent connections; close it when done."""

    def __init__(self, config: SlackConfig) -> None:
        self._config = config
        self._rate_limit = RateLimit()
        self._session: aiohttp.ClientSession | None = None
        self._self: Self | None = None
        self._app = ""
        self._asking_app = asyncio.Lock()

    async def call(self, method: str, about: str, **arguments: Any) -> dict[str, Any]:
        """Call a method like `chat.postMessage`; `about` is whom or what it is about, for the message of a failure.

        Raises Unreachable if that person, room or message is out of reach for good, and Unavailable for all that
        another try or a better configuration can mend. Nothing is tried twice here: a message might be posted twice.
        """
        answer: dict[str, Any] = (await self._response(method, about, **arguments)).data
        return answer

    async def scopes(self) -> set[str]:
        """What the bot token may do, from a header: https://docs.slack.dev/reference/methods/auth.test."""
        response = await self._response("auth.test", "the app")
        headers = {name.lower(): str(value) for name, value in response.headers.items()}
        if "x-oauth-scopes" not in headers:
            raise Unavailable("Slack does not say which scopes the app has; compare them with docs/slack.md")
        return {scope.strip() for scope in headers["x-oauth-scopes"].split(",")}

    async def _response(self, method: str, about: str, **arguments: Any) -> Any:
        conversation = arguments["channel"] if method == "chat.postMessage" else ""
        await self._rate_limit.wait(method, conversation)
        function, where = getattr(self._client(), method.replace(".", "_")), self._config.api_url
        try:
            return await function(**arguments)
        except SlackClientError as error:
            raise self._our_error(method, about, getattr(error, "response", None)) from None
        except TimeoutError:
            raise Unavailable(f"Slack does not answer {method} in time; check the way to {where}") from None
        except (aiohttp.ClientError, OSError) as error:
            kind = type(error).__name__
            raise Unavailable(f"Slack can't be reached at {where} ({kind}); check the network") from None
        except (ValueError, AttributeError) as error:
            # An answer that is no JSON object, like a proxy's page, makes the library fail in one of these ways.
            raise Unavailable(f"{where} does not answer {method} as Slack does ({type(error).__name__})") from None

    async def myself(self) -> Self:
        """Who the app is, asked once."""
        if self._self is None:
            answer = await self.call("auth.test", "the app")
            found = Self(**{name: str(answer.get(name) or "") for name in Self.model_fields})
            if not (found.team_id and found.bot_id):
                raise Unavailable(NOT_SAID)
            self._self = found
        return self._self

    async def app(self) -> str:
        """The id of the app, asked once. Raises Unavailable."""
        async with self._asking_app:
            if not self._app:
                known = (await self.call("bots.info", "the app", bot=(await self.myself()).bot_id)).get("bot")
                self._app = str(known.get("app_id") or "") if isinstance(known, dict) else ""
            if not self._app:
                raise Unavailable(NOT_SAID)
            return self._app

    @property
    def proxy(self) -> str | None:
        """The proxy by which Slack is reached, if any."""
        return self._client().proxy

    async def close(self) -> None:
        """Close the kept connections."""
        if self._session is not None:
            await self._session.close()
            # The transports close in the loop's next round: https://docs.aiohttp.org/en/stable/client_advanced.html
            await asyncio.sleep(0)

    def _client(self) -> AsyncWebClient:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS))
        client = AsyncWebClient(
            token=self._config.bot_token.get_secret_value(),
            base_url=self._config.api_url,
            session=self._session,
            logger=redacting_logger("notifiers.slack.library", logging.INFO),
            # The library's own would post again after a connection that broke while Slack posted.
            retry_handlers=[],
        )
        if self._config.api_url.startswith("http:"):
            client.proxy = None  # it is on this machine
        return client

    def _our_error(self, method: str, about: str, response: Any) -> Exception:
        """Our error for a failed call. It holds nothing of a token: only Slack's own error is repeated."""
        status = getattr(response, "status_code", getattr(response, "status", 0))
        data = getattr(response, "data", None)
        answer: Mapping[str, Any] = data if isinstance(data, dict) else {}
        if status == 429 or answer.get("error") in {"ratelimited", "rate_limited"}:
            seconds = _retry_after(getattr(response, "headers", {}))
            self._rate_limit.delay(method, seconds)
            return Unavailable(
                f"Slack takes no {method} for another {seconds:.0f} seconds; it is tried again after that"
            )
        if not answer.get("error"):
            return Unavailable(
                f"Slack can't do {method} now (HTTP status {status}); if that lasts, see slack-status.com"
            )
        return errors.message_of(method, about, answer)


def _retry_after(headers: Mapping[str, str]) -> float:
    """The header's seconds: https://docs.slack.dev/apis/web-api/rate-limits."""
    text = str(headers.get("Retry-After", "")).strip()
    return min(float(text), LONGEST_DELAY) if text.isascii() and text.isdecimal() else USUAL_DELAY
