"""`python -m tests.pictures.slack`: draws docs/pictures anew, from the very blocks that go to Slack."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from countersign.models import (
    Event,
    Status,
    Verdict,
)
from countersign.notifications import Person
from countersign.permissions import Principal
from countersign.views import ApproverView, Mine, RequestView
from notifiers.slack.config import SlackConfig
from notifiers.slack.inbound.payloads import Named
from notifiers.slack.outbound.blocks import live
from notifiers.slack.outbound.views import answer_modal, connect_modal, home_view
from tests.pictures.svg import GREY, INK, LINE, PAPER, Canvas, Json, Span
from tests.samples import (
    ALICE,
    CHANGED_DEVICE,
    GRACE,
    GRANT,
    HEIDI,
    IVAN,
    NOON,
    QUESTION,
    decided,
    in_room,
    notification,
)

PICTURES = Path(__file__).parent.parent.parent / "docs" / "pictures"
WIDTH = 660
CONFIG = SlackConfig(public_url="https://access.example.com")
APPROVED = decided("grace", comment="Go ahead, and tell the team.")


def request(approval_id: int, requester: Person, device: str, asked: Person = GRACE, **changed: Any) -> RequestView:
    """One request as the Home page and the forms get it."""
    usual: dict[str, Any] = {
        "approval_id": approval_id,
        "question": QUESTION.model_copy(update={"requester": requester.id, "device": device}),
        "requester_name": requester.name,
        "because": "approval workflow Engineers to databases",
        "status": Status.WAITING,
        "message": "",
        "level": 1,
        "levels": 1,
        "quorum": 1,
        "opened_at": NOON,
        "deadline": NOON + timedelta(hours=4),
        "settled_at": None,
        "grant_minutes": 60,
        "rejection_needs_reason": True,
        "channels": {"slack": "decide"},
        "approvers": [ApproverView(level=1, person=asked.id, name=asked.name, because="manager of engineers")],
    }
    return RequestView(**(usual | changed))


def pictures() -> dict[str, str]:
    """Each picture by its name, as SVG."""
    waits = request(1042, ALICE, "db-1")
    waits_too = request(1043, GRACE, "web-1", asked=IVAN)
    held = request(1040, GRACE, "web-2", asked=IVAN, status=Status.APPROVED, grant=GRANT)
    allowed = request(1038, ALICE, "db-2", status=Status.APPROVED, grant=GRANT)
    approved = {"status": Status.APPROVED, "decisions": [APPROVED], "grant": GRANT}
    mentioned = {"grace": "UGRACE", "heidi": "UHEIDI"}
    return {
        "prompt": message(live(notification(Event.ASKED, GRACE), CONFIG).blocks),
        "device": message(
            live(notification(Event.ASKED, GRACE, question=CHANGED_DEVICE, grant_lasts=timedelta(0)), CONFIG).blocks
        ),
        "room": message(live(in_room("C0123ABCD"), CONFIG, mentioned).blocks),
        "approved": message(live(notification(Event.SETTLED, HEIDI, **approved), CONFIG).blocks),
        "status": message(live(notification(Event.OPENED, ALICE), CONFIG).blocks),
        "reject": modal(answer_modal(Named(1042, 1, ""), Verdict.REJECT, waits)),
        "connect": modal(filled_in(connect_modal(), device="db-1", reason="Replication lags behind.")),
        "home": home(
            home_view(Mine(waiting=[waits], asked=[waits_too, held], active=[held, allowed]), Principal("grace"))
        ),
    }


def filled_in(form: Json, **typed: str) -> Json:
    """The form of a connection with what somebody typed, and SSH chosen."""
    for block in form["blocks"]:
        element = block["element"]
        element |= {"initial_value": typed[block["block_id"]]} if block["block_id"] in typed else {}
        element |= {"initial_option": element["options"][0]} if "options" in element else {}
    return form


def message(blocks: list[Json]) -> str:
    """A message of the app."""
    canvas = Canvas(left=72, width=WIDTH - 72 - 24, y=16)
    canvas.box(24, 20, 36, 36, "#1d3557", 6)
    canvas.line([Span("C", 20, bold=True, fill=PAPER)], 34.5, 45)
    name = Span("Countersign", bold=True)
    canvas.line([name], 72, 33)
    canvas.box(72 + name.width + 6, 21, 30, 15, "#e8e8e8", 2)
    canvas.line([Span("APP", 10, fill=GREY)], 72 + name.width + 11, 32)
    canvas.line([Span("12:00 PM", 12, fill=GREY)], 72 + name.width + 46, 33)
    canvas.y = 44
    canvas.blocks(blocks)
    return _svg(canvas, canvas.y + 12)


def modal(view: Mapping[str, Any]) -> str:
    """A form."""
    canvas = Canvas(left=24, width=WIDTH - 48, y=64)
    canvas.line([Span(view["title"]["text"], 20, bold=True)], 24, 42)
    canvas.line([Span("×", 24, fill=GREY)], WIDTH - 40, 43)
    canvas.blocks(view["blocks"])
    canvas.y += 12
    x = float(WIDTH - 24)
    for part, style in (("submit", "primary"), ("close", None)):
        if part in view:
            width = Span(view[part]["text"], 14, bold=True).width + 24
            x -= width
            canvas.button(view[part]["text"], x, style)
            x -= 10
    return _svg(canvas, canvas.y + 52)


def home(view: Mapping[str, Any]) -> str:
    """The app's Home page."""
    canvas = Canvas(left=24, width=WIDTH - 48, y=72)
    canvas.line([Span("Home", 14, bold=True)], 24, 30)
    canvas.line([Span("Messages", 14, fill=GREY)], 84, 30)
    canvas.line([Span("About", 14, fill=GREY)], 170, 30)
    canvas.box(24, 42, 38, 2, INK, 1)
    canvas.box(0.5, 45, WIDTH - 1, 0.5, LINE, 0)
    canvas.y = 56
    canvas.blocks(view["blocks"])
    return _svg(canvas, canvas.y + 12)


def _svg(canvas: Canvas, height: float) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}">'
    frame = (
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="8" fill="{PAPER}" stroke="#bbbbbb"/>'
    )
    return "\n".join([head, frame, *canvas.parts, "</svg>"]) + "\n"


def main() -> None:
    """Write all pictures, and delete those that no longer exist here."""
    drawn = {f"{name}.svg": svg for name, svg in pictures().items()}
    for name, svg in drawn.items():
        (PICTURES / name).write_text(svg, encoding="utf-8")
    for old in set(PICTURES.glob("*.svg")) - {PICTURES / name for name in drawn}:
        old.unlink()


if __name__ == "__main__":
    main()
