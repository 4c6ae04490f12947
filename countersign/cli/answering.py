"""approve, reject, comment, cancel, revoke, give-back: what people do about a request."""

from typing import Annotated

import typer
from rich.text import Text

from countersign.cli import request_page, times
from countersign.cli.exits import Code
from countersign.cli.options import AsJson, Number, with_portal
from countersign.cli.output import show_result
from countersign.http import Api
from countersign.models import Verdict
from countersign.views import RequestView

CommentText = Annotated[str, typer.Argument(metavar="TEXT", help="The text to send; it decides nothing.")]
Comment = Annotated[str, typer.Argument(metavar="COMMENT", help="A comment for the requester and the record.")]

commands = typer.Typer()


def _answers(verdict: Verdict, does: str) -> None:
    """Add the command that gives this answer."""

    @commands.command(verdict.value, help=does)
    @with_portal
    def answer(api: Api, number: Number, comment: Comment = "", as_json: AsJson = False) -> None:
        judgement = api.decide(number, verdict, comment, _last_asked_at(api, number))
        view = api.request(number)
        page = request_page.short(view, times.now()) if judgement.accepted else Text(judgement.message)
        show_result(judgement, page, as_json)
        if not judgement.accepted:
            raise typer.Exit(Code.UNAVAILABLE)


_answers(Verdict.APPROVE, "Approve a request that waits for your answer.")
_answers(Verdict.REJECT, "Reject a request that waits for your answer; one rejection ends it.")


@commands.command()
@with_portal
def comment(api: Api, number: Number, text: CommentText, as_json: AsJson = False) -> None:
    """Write to the approvers of your request who have not answered; or, as an approver, to the requester."""
    _show_view(api.comment(number, text), as_json)


@commands.command()
@with_portal
def cancel(api: Api, number: Number, comment: Comment = "", as_json: AsJson = False) -> None:
    """Withdraw a request of yours while it waits."""
    api.cancel(number, comment)
    _show_view(api.request(number), as_json)


@commands.command()
@with_portal
def revoke(api: Api, number: Number, comment: Comment = "", as_json: AsJson = False) -> None:
    """End a grant early. For the approvers of its request, and admins."""
    _show_view(api.revoke(number, comment), as_json)


@commands.command("give-back")
@with_portal
def give_back(api: Api, number: Number, comment: Comment = "", as_json: AsJson = False) -> None:
    """End a grant that is no longer needed. For its requester, or a gateway that asked for it."""
    _show_view(api.give_back(number, comment), as_json)


def _last_asked_at(api: Api, number: int) -> int | None:
    """The last level at which this person was asked: who approved a level that is passed may still reject."""
    me = api.me().name
    return max((one.level for one in api.request(number).approvers if one.person == me), default=None)


def _show_view(view: RequestView, as_json: bool) -> None:
    show_result(view, request_page.short(view, times.now()), as_json)
