"""What commands have in common: where the portal is, who asks, and the form of the output."""

import inspect
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Annotated, Any

import typer
from rich.text import Text

from countersign.cli import kept_login
from countersign.cli.output import console
from countersign.durations import duration_parser
from countersign.errors import BadQuestion, NotAllowed
from countersign.http import Api, is_loopback
from countersign.http_answers import Me

# If none is given: the portal of the kept login, else the one on this machine.
DEFAULT_URL = ""
LOCAL_URL = "http://127.0.0.1:8080"
# The largest number that JSON carries exactly (RFC 8259, section 6).
LARGEST_NUMBER = 2**53 - 1


def approval_id(typed: str) -> int:
    """The number somebody typed, with or without its #."""
    digits = typed.strip().removeprefix("#")
    if not (digits.isascii() and digits.isdigit() and 0 < int(digits[:20]) <= LARGEST_NUMBER):
        raise typer.BadParameter(f"{typed[:40]!r} is not an approval id; give the request's number, such as 1042.")
    return int(digits)


def seconds_of(option: str, typed: str, longest: timedelta) -> float:
    """The seconds of a duration that somebody typed; BadQuestion names the option."""
    try:
        return duration_parser("seconds", longest)(typed).total_seconds()
    except ValueError as error:
        raise BadQuestion(f"{option} {error}.") from None


Url = Annotated[
    str,
    typer.Option(
        metavar="URL",
        envvar="COUNTERSIGN_URL",
        show_default=False,
        help=f"The portal's address (default: where you are logged in, else {LOCAL_URL}).",
    ),
]
Token = Annotated[
    str,
    typer.Option(
        metavar="TOKEN",
        envvar="COUNTERSIGN_TOKEN",
        show_default=False,
        help="Your token. Better in the variable: others on this machine can read a command's options.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Number = Annotated[
    int, typer.Argument(metavar="ID", parser=approval_id, help="The request's approval id, such as 1042.")
]


def with_portal(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options --url and --token, and pass it the portal that they lead to as its first argument.

    A command that sometimes needs no portal, or finds its URL or token another way, calls `connect` itself.
    """

    @wraps(command)
    def connected(*, url: str, token: str, **given: Any) -> None:
        with connect(url, token) as api:
            command(api, **given)

    _, *own = inspect.signature(command).parameters.values()
    added = {"url": (DEFAULT_URL, Url), "token": ("", Token)}
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (default, kind) in added.items()
    ]
    connected.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
    return connected


def connect(url: str, token: str) -> Api:
    """The portal; warns if the token would be sent unencrypted."""
    api = Api(*of_login(url, token))
    warn_unencrypted(api)
    return api


def of_login(url: str, token: str) -> tuple[str, str]:
    """The portal's URL and the token: as given, else those of the kept login.

    A kept token goes only to its own portal, and only until it expires.
    """
    kept = kept_login.read() if not token else None
    if kept is None or (url and not is_same(url, kept.url)):
        return url or LOCAL_URL, token
    return kept.url, kept.token.get_secret_value() if kept.lasts else ""


def is_same(url: str, other: str) -> bool:
    """Whether both lead to the same portal."""
    return url.strip().rstrip("/") == other.rstrip("/")


def warn_unencrypted(api: Api) -> None:
    """Warn if a token travels over the network unencrypted."""
    if api.sends_token and api.url.scheme == "http" and not is_loopback(api.url.host):
        message = f"The token goes to {api.url.host} unencrypted; set COUNTERSIGN_URL to an https:// address."
        console(stderr=True).print(Text(f"Warning: {message}", style="yellow"))


def person(me: Me, remedy: str) -> str:
    """The id of the token's person; NotAllowed, with the remedy, for a gateway's token."""
    if me.kind != "person":
        raise NotAllowed(f"This token is the gateway {me.name}'s, not a person's. {remedy}")
    return me.name
