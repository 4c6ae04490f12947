"""One log line for each HTTP request: who asked for what, how it was answered, and how long that took."""

import logging
import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Machines call these again and again, and they change nothing.
AT_DEBUG_LEVEL = ("/health", "/doctor")
FILES = "/static/"
LONGEST_PATH = 200
# A sign-in link.
SECRET_IN_PATH = re.compile(r"^(/sign-in/).+")
FAILED = 500

log = logging.getLogger("http")


class AccessLog:
    """Logs each request, without its query, which may name people, and without its headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and log it once it is over."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, status = time.monotonic(), FAILED

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, seen)
        finally:
            _log(scope, status, time.monotonic() - begun)


def _log(scope: Scope, status: int, seconds: float) -> None:
    method, path = scope["method"], SECRET_IN_PATH.sub(r"\1…", scope["path"])[:LONGEST_PATH]
    caller = scope.get("state", {}).get("caller")
    who = caller.name if caller else "nobody"
    log.log(
        logging.DEBUG if path.endswith(AT_DEBUG_LEVEL) or path.startswith(FILES) else logging.INFO,
        "%s %s for %s: %s in %.0f ms",
        method,
        path,
        who,
        status,
        seconds * 1000,
        extra={"fields": {"method": method, "path": path, "who": who, "status": status, "seconds": round(seconds, 3)}},
    )
