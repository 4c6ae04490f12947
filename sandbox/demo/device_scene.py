"""The scene of a device that somebody connects with: it registers, waits, is approved by mail, and is blocked."""

import asyncio

from countersign.fingerprints import Fingerprint, Posture
from countersign.models import Status
from countersign.registration import DeviceAction, DeviceStatus, Presented, Registered
from sandbox.clients import Client
from sandbox.demo.scenes import Play, Scene
from sandbox.demo.screen import SceneResult
from sandbox.demo.steps import must, step
from sandbox.device_keys import new_key

OPENING = (
    "The device, beside the person",
    "The policy now has a role, contractor: each new device of a contractor has to be approved before it may connect. "
    "A device is known by its key; what it says about itself is kept, and shown to whoever decides.",
)
# What is added to the policy.
RULES = """
roles:
  contractor: {user_groups: [contractors], require_device_approval: true}
registered_devices: {network: 10.64.0.0/16}
"""
LAPTOP = Fingerprint(
    hostname="carbon",
    platform="linux",
    os="Debian GNU/Linux",
    os_version="12",
    model="ThinkPad X1 Carbon",
    serial="PF-4K2J7M",
    posture=Posture(disk_encrypted=True, firewall=False),
)


class Laptop:
    """A device of Dave's; its client registers again at each connection."""

    def __init__(self, play: Play) -> None:
        self.stage = play.stage
        self.presented = Presented(key=new_key(), fingerprint=LAPTOP)

    async def connects(self, status: str) -> Registered:
        """Register, or register again; the answer must have this status."""
        with step("Dave's laptop registers"):
            found = await asyncio.to_thread(self._register)
        must(found.status == status, f"Dave's laptop is {found.status}, not {status}: {found.message}")
        return found

    def _register(self) -> Registered:
        with self.stage.api("dave") as api:
            return api.register(self.presented)


async def new_device(play: Play) -> SceneResult:
    """A device is registered, approved by a reply and let in; then blocked, at once."""
    play.stage.apply(play.stage.policy + RULES)
    laptop = Laptop(play)
    first = await laptop.connects("pending")
    play.screen.aside(f"Dave's new laptop registers: “{first.message}”")
    must(first.approval_id is not None, "no request is open about Dave's laptop")
    view = play.stage.store.reading.request(first.approval_id or 0)
    request = play.follow(view.question, view.approval_id)
    await request.record("opened dave", "level_started countersign", "noticed ada")
    play.screen.letter(await request.mail("ada", "asks to connect with"))
    await request.reply("ada", "Approved", Client.GMAIL)
    await request.record("answered ada", "approved ada", "noticed dave", "noticed ada")
    must(request.view().status is Status.APPROVED, f"{request.number} should be approved")
    address = (await laptop.connects("approved")).address
    play.screen.outcome("Approved", f"{request.number} is Approved: the laptop may connect, as {address}")
    play.screen.aside("The laptop is stolen. Ada blocks it, as `countersign device block` does.")
    blocked = await asyncio.to_thread(_block, play, first.id)
    must(blocked is DeviceStatus.BLOCKED, f"the laptop is {blocked}, not blocked")
    reply = await laptop.connects("blocked")
    play.screen.outcome("Blocked", f"The laptop is Blocked, and is told: “{reply.message}”")
    return SceneResult("", request.number, "Blocked", "Approved, then blocked")


def _block(play: Play, device: str) -> DeviceStatus:
    with step("Ada blocks the laptop"), play.stage.api("ada") as api:
        return api.act_on_device(device, DeviceAction.BLOCK, "stolen").status


SCENES: list[tuple[str, str, Scene]] = [
    ("A new device", "Dave is a contractor, and connects with a laptop that nobody knows yet.", new_device),
]
