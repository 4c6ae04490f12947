"""Following a request until it is decided: a live status in a terminal, a line for each change anywhere else."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import TypeVar

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from countersign.cli import request_page, times
from countersign.cli.tables import indented
from countersign.errors import Unavailable
from countersign.http import Api
from countersign.models import Status
from countersign.views import RequestView

# A restarted portal is back well before this; the request goes on meanwhile.
PATIENCE_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0

T = TypeVar("T")


def patiently(call: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """Call until it works, for at most this many seconds; raises Unavailable if it never did."""
    give_up = time.monotonic() + seconds
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return call()
        except Unavailable:
            if time.monotonic() + pause > give_up:
                raise
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def rest() -> None:
    """Pause after a wait in which nothing happened, so that a portal that answers at once is not polled nonstop."""
    time.sleep(FIRST_PAUSE_SECONDS)


def changes(api: Api, view: RequestView) -> Iterator[RequestView]:
    """The request now, and after each change until it is settled."""
    yield view
    while view.status is Status.WAITING:
        newer = patiently(partial(api.wait, view.approval_id, view.version))
        if newer.version > view.version:
            view = newer
            yield view
        else:
            rest()


def follow(api: Api, view: RequestView, console: Console) -> RequestView:
    """Show the request until it is settled; returns it then."""
    if not console.is_terminal:
        return _line_by_line(api, view, console)
    shown, spinner = view, Spinner("dots")
    # Rendered anew at each redraw, so that the time left counts down.
    with Live(get_renderable=lambda: _page(shown, spinner), console=console, transient=True):
        for newer in changes(api, view):
            shown = newer
    return shown


def _line_by_line(api: Api, view: RequestView, console: Console) -> RequestView:
    last = view
    for newer in changes(api, view):
        console.print(_in_one_line(newer, times.now()), soft_wrap=True)
        last = newer
    return last


def _page(view: RequestView, spinner: Spinner) -> RenderableType:
    at = times.now()
    head = Table.grid(padding=(0, 1))
    head.add_row(spinner, request_page.headline(view, at))
    ending = Text("  Ctrl-C stops watching; the request stays open.", style="bright_black")
    return Group(head, indented(request_page.who_and_what(view)), *request_page.level_now(view, at), ending)


def _in_one_line(view: RequestView, at: datetime) -> Text:
    line = Text(f"{times.clock(at, at, seconds=True)}  ") + request_page.headline(view, at)
    if view.status is Status.WAITING and view.level:
        names = [request_page.name_of(view, one.person) for one in view.awaited]
        line.append(f"; level {view.level} of {view.levels}, waits for {', '.join(names)}")
    return line
