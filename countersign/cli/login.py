"""login, logout: a token by way of the browser, kept on this machine for twelve hours."""

import getpass
import platform
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import typer
from rich.text import Text

from countersign.cli import kept_login
from countersign.cli.options import DEFAULT_URL, LOCAL_URL, AsJson, Url, connect, warn_unencrypted
from countersign.cli.output import console, show_result
from countersign.error_codes import ErrorCode
from countersign.errors import CountersignError, NotAllowed, NotFound, Unavailable
from countersign.http import Api
from countersign.http_answers import LoginBegun, LoginToken
from countersign.times import moment

# How much longer to wait between two polls after each `slow_down` of the portal (RFC 8628, section 3.5).
SLOWER_SECONDS = 5.0
LONGEST_MACHINE = 100

commands = typer.Typer()


@commands.command()
def login(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Log in through your browser. Commands on this machine then act for you, for twelve hours."""
    kept = kept_login.read()
    with Api(url or (kept.url if kept else LOCAL_URL)) as api:
        warn_unencrypted(api)
        begun = api.begin_login(_machine())
        to_follow = Text.assemble(
            ("Open ", ""),
            (begun.verification_uri_complete, "bold"),
            " in your browser, see that the page shows\n",
            "the code ",
            (begun.user_code, "bold"),
            ", and allow it. Waiting; Ctrl-C ends it.",
        )
        console(stderr=True).print(to_follow, soft_wrap=True)
        token = _token(api, begun)
        ends_at = datetime.now(UTC) + timedelta(seconds=token.expires_in)
        file = kept_login.keep(str(api.url), token.access_token, ends_at)
    with connect("", "") as api:
        me = api.me()
    page = Text.assemble("Logged in as ", (me.name, "bold"), f" until {moment(ends_at)}.")
    show_result({"name": me.name, "url": str(api.url), "ends_at": ends_at, "file": file}, page, as_json)


@commands.command()
def logout(as_json: AsJson = False) -> None:
    """Log out: end the token of this machine's login."""
    kept = kept_login.read()
    if kept is None:
        raise NotFound("This machine is not logged in.")
    token = kept.token.get_secret_value()
    with Api(kept.url, token) as api, suppress(NotAllowed, NotFound):  # it may have ended already
        api.end_token(token.split("_")[1])
    kept_login.forget()
    show_result({"url": kept.url}, Text(f"Logged out of {kept.url}."), as_json)


def _token(api: Api, begun: LoginBegun) -> LoginToken:
    """Poll until the login is allowed. Raises NotAllowed if it is denied, Unavailable if it has expired."""
    interval, over = float(begun.interval), time.monotonic() + begun.expires_in
    while time.monotonic() < over:
        time.sleep(interval)
        try:
            return api.poll_login(begun.device_code)
        except CountersignError as error:
            if error.code == ErrorCode.SLOW_DOWN:
                interval += SLOWER_SECONDS
            elif error.code == ErrorCode.ACCESS_DENIED:
                raise NotAllowed("The login was denied in the browser.", error.code) from None
            elif error.code == ErrorCode.EXPIRED_TOKEN:
                break
            elif error.code != ErrorCode.AUTHORIZATION_PENDING and not isinstance(error, Unavailable):
                raise
    raise Unavailable("Nobody allowed the login in time; run `countersign login` again.", ErrorCode.EXPIRED_TOKEN)


def _machine() -> str:
    """The name of this machine on the portal's page."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in a container
        name = "somebody"
    return f"countersign of {name} on {platform.node() or 'a machine'}"[:LONGEST_MACHINE]
