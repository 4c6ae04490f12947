"""request, list, show: asking, and following the request."""

import uuid
from contextlib import suppress
from functools import partial
from typing import Annotated

import typer
from rich.text import Text

from countersign.cli import exits, list_page, request_page, times
from countersign.cli.completion import Device, How
from countersign.cli.live import changes, follow, patiently, rest
from countersign.cli.options import AsJson, Number, person, with_portal
from countersign.cli.output import console, show, show_json, show_result
from countersign.error_codes import ErrorCode
from countersign.errors import Delayed, NotAllowed, Unavailable
from countersign.grant_reuse import address_asked_for, must_be_for, names_no_address, not_from_here
from countersign.http import Api
from countersign.models import LONGEST_GRANT, Asked, Question, Status
from countersign.question import read_question
from countersign.times import MINUTE
from countersign.views import RequestView

LONGEST_LIST = 200
# The names of a question's fields on the command line.
CALLED = {
    "requester": "--for",
    "device": "DEVICE",
    "protocol": "PROTOCOL",
    "reason": "--reason",
    "ticket": "--ticket",
    "minutes": "--minutes",
    "source_address": "--source-address",
    "renew": "--renew",
}

Minutes = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        max=LONGEST_GRANT // MINUTE,
        help="How long the grant should last, if less than the policy allows.",
    ),
]
Wanted = Annotated[
    Status | None,
    typer.Option(
        "--status", metavar="STATUS", case_sensitive=False, help=f"Only with this status: {', '.join(Status)}."
    ),
]
Limit = Annotated[int, typer.Option(metavar="N", min=1, max=LONGEST_LIST, help="How many at most.")]

commands = typer.Typer()


@commands.command()
@with_portal
def request(
    api: Api,
    device: Device,
    protocol: How,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Reason, shown to the approvers.")] = "",
    ticket: Annotated[str, typer.Option(metavar="TEXT", help="The ticket that it belongs to.")] = "",
    minutes: Minutes = None,
    for_: Annotated[str, typer.Option("--for", metavar="PERSON", help="Who wants to connect (default: you).")] = "",
    source_address: Annotated[
        str, typer.Option(metavar="IP", help="The IP address that the connection will come from.")
    ] = "",
    renew: Annotated[bool, typer.Option("--renew", help="Ask for more time while a grant lasts.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the decision, which sets the exit code.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask for a connection. If a request for it already waits, or its grant lasts, you get that request."""
    question = read_question(
        {
            "requester": for_ or person(api.me(), "Name who wants to connect with --for."),
            "device": device,
            "protocol": protocol,
            "reason": reason,
            "ticket": ticket,
            "source_address": source_address,
            "minutes": minutes,
            "renew": renew,
        },
        CALLED,
    )
    asked = _asked(api, question, wait, as_json)
    address = address_asked_for(question, asked.source_address)
    if as_json and not wait:
        show_json(asked)
        raise typer.Exit(exits.of_request(asked, address, times.now()))
    view = api.request(asked.approval_id)
    if not as_json and (warning := _address_warning(view, address)):
        console(stderr=True).print(Text(warning))
    if wait:
        view = _until_settled(api, view, as_json)
    if as_json:
        show_json(view)
    else:
        if asked.joined and asked.status is Status.WAITING:
            show(Text(asked.message, style="bright_black"))
        show(request_page.short(view, times.now()))
        must_be_for(view.grant, address)
    raise typer.Exit(exits.of_request(view, address, times.now()))


def _address_warning(view: RequestView, address: str) -> str:
    """A warning if gates will refuse connections, from this address or because none was named; else empty."""
    if address:
        return not_from_here(view, address)
    if not (warning := names_no_address(view)):
        return ""
    undo = f"`countersign {'cancel' if view.status is Status.WAITING else 'give-back'} {view.approval_id}`"
    return f"{warning} {undo}, then name the address with --source-address, or just connect: the gate asks for you."


def _asked(api: Api, question: Question, wait: bool, as_json: bool) -> Asked:
    """Ask. If no worker runs, wait for one with --wait; without it, show that the question is stored, and exit."""
    key = uuid.uuid4().hex
    try:
        return api.ask(question, key)
    except NotAllowed as error:
        if error.code != ErrorCode.OTHER_REQUESTER:
            raise
        raise NotAllowed("Your token asks for yourself only; leave --for out.", **error.details) from None
    except Delayed as error:
        if not wait:
            show_result({**error.fields, "words": str(error)}, Text(str(error)), as_json)
            raise typer.Exit(exits.Code.UNAVAILABLE) from None
        console(stderr=True).print(Text(str(error)))
    while True:
        with suppress(Delayed):
            return patiently(partial(api.ask, question, key))
        rest()


@commands.command("list")
@with_portal
def list_(
    api: Api,
    status: Wanted = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only your own requests.")] = False,
    to_approve: Annotated[bool, typer.Option("--to-approve", help="Only those that wait for your answer.")] = False,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List requests, the newest first; with --to-approve, the most urgent first."""
    if to_approve and status:
        raise typer.BadParameter("What waits for your answer is all Waiting; leave --status or --to-approve out.")
    me = person(api.me(), "Leave --mine and --to-approve out.") if mine or to_approve else ""
    views = api.approvals(limit) if to_approve else api.requests(status, me if mine else "", limit=limit)
    if mine:
        views = [view for view in views if view.question.requester == me]
    if as_json:
        show_json(views)
    elif views:
        screen = console()
        show(list_page.page(views, times.now(), screen.width), screen)
    else:
        show(Text("Nothing waits for your answer." if to_approve else "There are no such requests."))


@commands.command("show")
@with_portal
def show_(
    api: Api,
    number: Number,
    whole: Annotated[bool, typer.Option("--all", help="Show every row and check, including repeats.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a request: the facts, who is asked, their answers, the grant, and everything that happened."""
    view, timeline = api.request(number), api.timeline(number)
    page = request_page.page(view, timeline, times.now(), whole=whole)
    show_result({**view.model_dump(mode="json"), "timeline": timeline}, page, as_json)


def _until_settled(api: Api, view: RequestView, as_json: bool) -> RequestView:
    try:
        if as_json:
            *_, view = changes(api, view)
            return view
        return follow(api, view, console())
    except Unavailable as error:
        raise Unavailable(
            f"{error} #{view.approval_id} goes on without you; `countersign show {view.approval_id}`."
        ) from None
    except KeyboardInterrupt:
        message = f"#{view.approval_id} stays open; `countersign cancel {view.approval_id}` withdraws it."
        console(stderr=True).print(Text(message))
        raise
