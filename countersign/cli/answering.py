"""approve, reject, comment, cancel, revoke, give-back: what people do about a request."""

from typing import Annotated

import typer
from rich.text import Text

from countersign.cli import request_page, times
from countersign.cli.exits import Code
from countersign.cli.options import DEFAULT_URL, AsJson, Number, Token, Url, connect
from countersign.cli.output import show, show_json
from countersign.http import Api
from countersign.models import Verdict
from countersign.views import RequestView

CommentText = Annotated[str, typer.Argument(metavar="TEXT", help="What to pass on; it decides nothing.")]
Comment = Annotated[str, typer.Argument(metavar="COMMENT", help="Words for the requester and the record.")]

commands = typer.Typer()


@commands.command()
def approve(
    number: Number, comment: Comment = "", url: Url = DEFAULT_URL, token: Token = "", as_json: AsJson = False
) -> None:
    """Approve a request that waits for your answer."""
    _decide(number, Verdict.APPROVE, comment, url, token, as_json)


@commands.command()
def reject(
    number: Number, comment: Comment = "", url: Url = DEFAULT_URL, token: Token = "", as_json: AsJson = False
) -> None:
    """Reject a request that waits for your answer; one rejection ends it."""
    _decide(number, Verdict.REJECT, comment, url, token, as_json)


@commands.command()
def comment(
    number: Number, text: CommentText, url: Url = DEFAULT_URL, token: Token = "", as_json: AsJson = False
) -> None:
    """Write to those who are asked about your request; or, where you are asked, to the requester."""
    with connect(url, token) as api:
        _show_view(api.comment(number, text), as_json)


@commands.command()
def cancel(
    number: Number, comment: Comment = "", url: Url = DEFAULT_URL, token: Token = "", as_json: AsJson = False
) -> None:
    """Withdraw a request of yours while it waits."""
    with connect(url, token) as api:
        api.cancel(number, comment)
        _show_view(api.request(number), as_json)


@commands.command()
def revoke(
    number: Number, comment: Comment = "", url: Url = DEFAULT_URL, token: Token = "", as_json: AsJson = False
) -> None:
    """End the grant of a request that you were asked about, before its time."""
    with connect(url, token) as api:
        _show_view(api.revoke(number, comment), as_json)


@commands.command("give-back")
def give_back(
    number: Number, comment: Comment = "", url: Url = DEFAULT_URL, token: Token = "", as_json: AsJson = False
) -> None:
    """End a grant of yours that you need no longer; a gateway, one that it asked for."""
    with connect(url, token) as api:
        _show_view(api.give_back(number, comment), as_json)


def _decide(number: int, verdict: Verdict, comment: str, url: str, token: str, as_json: bool) -> None:
    with connect(url, token) as api:
        judged = api.decide(number, verdict, comment, _last_asked_at(api, number))
        view = api.request(number)
    if as_json:
        show_json(judged)
    elif judged.accepted:
        show(request_page.short(view, times.now()))
    else:
        show(Text(judged.message))
    if not judged.accepted:
        raise typer.Exit(Code.UNAVAILABLE)


def _last_asked_at(api: Api, number: int) -> int | None:
    """The level at which this person was asked last: who approved one that was passed may still take it back."""
    me = api.me().name
    return max((one.level for one in api.request(number).approvers if one.person == me), default=None)


def _show_view(view: RequestView, as_json: bool) -> None:
    if as_json:
        show_json(view)
    else:
        show(request_page.short(view, times.now()))
