"""`make bench`: measure everything in one run on one server, print a table, write benchmarks/latest.json."""

import asyncio
import json
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.applying import milliseconds_to_read
from benchmarks.enrolment import milliseconds_to_evaluate
from benchmarks.forward_auth import checks_per_second
from benchmarks.history import end_by, milliseconds_of_history
from benchmarks.place import Place, Sink
from benchmarks.reading import mails_per_second
from benchmarks.registering import registrations_per_second
from benchmarks.throughput import requests_per_second
from benchmarks.waiting import over_its_limit, with_others_waiting
from benchmarks.waking import reply_to_approved
from benchmarks.watching import event_on_pages
from garbage import collect_seldom
from sandbox.temporal_server import TemporalServer

LATEST = Path(__file__).parent / "latest.json"
console = Console()


async def measure() -> tuple[dict[str, float], list[str]]:
    """All figures, by name, and messages about those that broke a limit."""
    started = time.monotonic()

    def say(what: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:4.0f} s[/dim]  {what} ...")

    sink = Sink()
    with tempfile.TemporaryDirectory() as folder:
        listening = await sink.listen()
        async with TemporalServer(Path(folder) / "temporal.db") as server:
            place = Place(server.address, Path(folder), sink)
            figures = await requests_per_second(place, say)
            woken = await reply_to_approved(place, say)
            figures |= woken
            figures["ratio: reply to Approved / bare wake-up"] = (
                woken["reply delivered to Approved, ms"] / woken["bare IDLE wake-up, ms"]
            )
            figures |= await registrations_per_second(place, say)
            figures |= await event_on_pages(place, say)
            figures |= await checks_per_second(place, say)
            figures |= await with_others_waiting(place, say)
            figures |= mails_per_second(say)
            figures |= milliseconds_to_read(say)
            figures |= milliseconds_to_evaluate(say)
        listening.close()
    of_history, broken = milliseconds_of_history(say, console)
    return figures | of_history, over_its_limit(figures) + broken


def main() -> None:
    """Measure, print, write."""
    collect_seldom()
    measured, broken = asyncio.run(measure())
    figures = {name: round(value, 2) for name, value in measured.items()}
    table = Table("what", "measured", title="Countersign, measured on this machine")
    table.columns[1].justify = "right"
    for name, value in figures.items():
        table.add_row(name, f"{value:,.2f}", style="bold" if name.startswith("ratio") else "")
    console.print(table)
    record = {"at": f"{datetime.now(UTC):%Y-%m-%d}", "python": platform.python_version(), "figures": figures}
    LATEST.write_text(json.dumps(record, indent=2) + "\n")
    console.print(f"Written to {LATEST.relative_to(Path.cwd())}. Compare ratios; absolute figures are this machine's.")
    end_by(broken, console)


if __name__ == "__main__":
    main()
