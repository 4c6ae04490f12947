"""watch: what happens, as it happens."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated

import typer
from rich.text import Text

from countersign.cli import request_page, times
from countersign.cli.live import patiently, rest
from countersign.cli.options import AsJson, approval_id, with_portal
from countersign.cli.output import console, show, show_json
from countersign.http import Api
from countersign.models import GrantStatus, Status
from countersign.views import AuditEventView, RequestView

OneNumber = Annotated[
    int | None, typer.Argument(metavar="ID", parser=approval_id, help="Only this request, from its beginning.")
]

commands = typer.Typer()


@commands.command()
@with_portal
def watch(api: Api, number: OneNumber = None, as_json: AsJson = False) -> None:
    """Print what happens, until Ctrl-C; with an ID, until that request is settled and its grant is over."""
    screen = console()
    for row in _all(api) if number is None else _of(api, number):
        if as_json:
            show_json(row, one_line=True)
        else:
            show(request_page.timeline_table([row], times.now(), numbered=number is None), screen)


def _all(api: Api) -> Iterator[AuditEventView]:
    """Everything that this token may see, from now on."""
    _, version = api.events(None, seconds=0)
    console(stderr=True).print(Text("Watching; Ctrl-C ends it.", style="bright_black"))
    while True:
        rows, version = patiently(partial(api.events, version))
        yield from rows
        if not rows:
            rest()


def _of(api: Api, number: int) -> Iterator[AuditEventView]:
    """What has happened to one request, then what happens to it, until it is over."""
    seen = 0
    while True:
        view = patiently(partial(api.wait, number, seen))
        timeline = patiently(partial(api.timeline, number))
        # What happened between the two calls is left for the next round, which reads the newer request.
        yield from (row for row in timeline if seen < row.version <= view.version)
        if _is_over(view):
            return
        if view.version == seen:
            rest()
        seen = view.version


def _is_over(view: RequestView) -> bool:
    lasts = view.grant is not None and view.grant.status is GrantStatus.ACTIVE
    return view.status is not Status.WAITING and not lasts
