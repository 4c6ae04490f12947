"""device list, show, block, unblock, archive, restore, revoke, unrevoke: the devices that people connect with."""

import re
from itertools import pairwise
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from countersign.cli import times
from countersign.cli.options import AsJson, with_portal
from countersign.cli.output import console, show_result
from countersign.cli.tables import indented, labelled, listing
from countersign.device_keys import short_of
from countersign.fingerprints import Fingerprint, details
from countersign.http import Api
from countersign.registration import DeviceAction, DeviceStatus, RegisteredDevice, Snapshot

LONGEST_LIST = 1000
ID = re.compile("d[0-9a-f]{12}")
# In a terminal narrower than this, serial numbers and addresses are left out.
ROOM_FOR_SERIALS = 100
STYLES = {
    DeviceStatus.NOT_ENROLLED: "bright_black",
    DeviceStatus.PENDING: "yellow",
    DeviceStatus.APPROVED: "green",
    DeviceStatus.DENIED: "red",
    DeviceStatus.BLOCKED: "red",
    DeviceStatus.REVOKED: "red",
    DeviceStatus.ARCHIVED: "bright_black",
}
ACTIONS = {
    DeviceAction.BLOCK: "Block a device at once, connected or not. Admins only.",
    DeviceAction.UNBLOCK: "Undo a block or a denial: the device waits for an approval again. Admins only.",
    DeviceAction.ARCHIVE: "Hide a device from the lists until it is restored. Admins only.",
    DeviceAction.RESTORE: "Put a device back into the lists, as it was. Admins only.",
    DeviceAction.REVOKE: "Stop a device from connecting. Admins only.",
    DeviceAction.UNREVOKE: "Undo a revocation: the device is as it was. Admins only.",
}

commands = typer.Typer(help="The devices that people connect with.", no_args_is_help=True)


def device_id(typed: str) -> str:
    """The id somebody typed."""
    if not ID.fullmatch(typed.strip()):
        raise typer.BadParameter(f"{typed[:40]!r} is not a device id; `countersign device list` shows them.")
    return typed.strip()


DeviceId = Annotated[
    str, typer.Argument(metavar="ID", parser=device_id, help="The device's id, as `device list` shows it.")
]


@commands.command("list")
@with_portal
def list_(
    api: Api,
    person: Annotated[str, typer.Option(metavar="PERSON", help="Only those of this person.")] = "",
    serial: Annotated[str, typer.Option(metavar="NUMBER", help="Only those with this serial number.")] = "",
    key: Annotated[str, typer.Option(metavar="KEY", help="Only those with this public key, in base64.")] = "",
    status: Annotated[
        DeviceStatus | None,
        typer.Option(metavar="STATUS", case_sensitive=False, help=f"Only with this status: {', '.join(DeviceStatus)}."),
    ] = None,
    query: Annotated[str, typer.Option(metavar="TEXT", help="Only if name, id or person contains this.")] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LONGEST_LIST, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the devices that you connect with; for admins, everybody's. Archived ones only with --status Archived."""
    found = api.registered_devices(person, serial, key, status, query, limit)
    show_result(found, _table(found, console().width) if found else "There is no such device.", as_json)


@commands.command("show")
@with_portal
def show_(api: Api, device: DeviceId, as_json: AsJson = False) -> None:
    """Show a device: its status, what it reports about itself, and how that has changed."""
    found, history = api.registered_device(device), api.device_snapshots(device)
    show_result({**found.model_dump(mode="json"), "snapshots": history}, _page(found, history), as_json)


def _act(action: DeviceAction, says: str) -> None:
    @commands.command(action.value, help=says)
    @with_portal
    def act(
        api: Api,
        device: DeviceId,
        reason: Annotated[str, typer.Option(metavar="TEXT", help="The reason, shown with the device.")] = "",
        as_json: AsJson = False,
    ) -> None:
        found = api.act_on_device(device, action, reason)
        show_result(found, _headline(found), as_json)


for _action, _says in ACTIONS.items():
    _act(_action, _says)


def _table(found: list[RegisteredDevice], width: int) -> Table:
    """One row per device."""
    is_wide = width >= ROOM_FOR_SERIALS
    table = listing()
    for name in ("id", "status"):
        table.add_column(name, no_wrap=True)
    for name in ("person", "name", *(("serial number", "address") if is_wide else ()), "last seen"):
        table.add_column(name, overflow="fold")
    now = times.now()
    for one in found:
        more = [one.fingerprint.serial or "", one.address or ""] if is_wide else []
        status = Text(one.status, STYLES[one.status])
        table.add_row(one.id, status, one.person or one.email, one.name, *more, times.ago(one.last_seen_at, now))
    return table


def _page(one: RegisteredDevice, history: list[Snapshot]) -> RenderableType:
    now = times.now()
    facts = {
        "Person": one.person or one.email,
        "Address": one.address,
        "Request": f"#{one.approval_id}" if one.approval_id else None,
        "Rule": one.rule,
        "Registered": f"{times.clock(one.registered_at, now, zone=True)}, {times.ago(one.registered_at, now)}",
        "Last seen": f"{times.ago(one.last_seen_at, now)}{f' from {one.source_address}' if one.source_address else ''}",
        "Session": f"until {times.clock(one.session_ends_at, now, zone=True)}" if one.session_ends_at else None,
        "Key": f"{one.key}\n{short_of(one.key)}",
    }
    parts: list[RenderableType] = [
        _headline(one),
        labelled((label, value) for label, value in facts.items() if value),
        Text(),
    ]
    parts += [Text("What it says about itself", style="bold")]
    parts += [labelled((line.label, line.value) for line in details(one.fingerprint))]
    changes = [line for newer, older in pairwise(history) for line in _changes(newer, older.fingerprint)]
    if changes:
        parts += [Text(), Text("What has changed", style="bold"), *changes]
    return Group(*parts)


def _changes(newer: Snapshot, before: Fingerprint) -> list[RenderableType]:
    """When something changed, and what."""
    changed = [one for one in details(newer.fingerprint, before) if one.before is not None]
    source = f" from {newer.source_address}" if newer.source_address else ""
    lines = ((one.label, f"{one.before} → {one.value}") for one in changed)
    return [indented(Text(f"{times.clock(newer.at, times.now(), zone=True)}{source}")), labelled(lines, 4)]


def _headline(one: RegisteredDevice) -> Text:
    text = Text.assemble((one.name, "bold"), f" {one.id} ", (one.status, f"bold {STYLES[one.status]}"))
    return text.append(f"  {one.message}" if one.message else "")
