"""How many devices register in a second, next to transactions that insert one row each."""

import secrets
from collections.abc import Callable

from benchmarks.place import PEOPLE, Deployment, Place, deployment, policy
from benchmarks.throughput import ROUNDS, One, ratio, rounds
from countersign.fingerprints import Fingerprint, Posture
from countersign.registration import Presented
from engine.devices.limits import MOST_WAITING_OF_PERSON
from engine.devices.registrant import Registrant
from engine.policy import apply_policy
from sandbox.device_keys import new_key

IN_A_ROUND = 16
# The devices of the first half of the people have to be approved.
HALF = PEOPLE // 2
assert ROUNDS * IN_A_ROUND <= HALF * MOST_WAITING_OF_PERSON
RULES = f"""
roles:
  vendor: {{people: [{", ".join(f"user-{n}" for n in range(HALF))}], require_device_approval: true}}
registered_devices: {{network: 10.0.0.0/8}}
"""
INSERT = "INSERT INTO bench (text) VALUES ('a device that registers')"


async def registrations_per_second(place: Place, say: Callable[[str], None]) -> dict[str, float]:
    """Measure in turn, round after round; returns each one's rate, and the medians of the rounds' ratios to inserts."""
    async with deployment(place, "registering") as running:
        apply_policy(running.store, policy() + RULES, "bench")
        with running.store.database.transaction() as connection:
            connection.exec_driver_sql("CREATE TABLE bench (id INTEGER PRIMARY KEY, text TEXT)")
        contenders: dict[str, One] = {
            "plain insert": lambda _: running.store.database.run(_insert, running),
            "device approved at once": lambda number: _register(running, number, HALF, "approved"),
            "device with an approval": lambda number: _register(running, number, 0, "pending"),
        }
        say("devices register")
        seconds = await rounds(contenders, IN_A_ROUND, say)
    a_second = {name: ROUNDS * IN_A_ROUND / sum(taken) for name, taken in seconds.items()}
    figures = {"plain inserts/s": a_second.pop("plain insert")}
    for name, number in a_second.items():
        figures |= {f"registrations/s, {name}": number} | ratio(name, "plain insert", seconds)
    return figures


def _insert(running: Deployment) -> None:
    with running.store.database.transaction() as connection:
        connection.exec_driver_sql(INSERT)


async def _register(running: Deployment, number: int, first: int, status: str) -> None:
    """Register a new device, each from an address of its own."""
    person = f"user-{first + number % HALF}"
    key = new_key()
    fingerprint = Fingerprint(hostname=f"laptop-{number}", serial=secrets.token_hex(4), posture=Posture(tpm=True))
    by = Registrant(person, person=person, source_address=f"10.1.{number // 250}.{number % 250}")
    found = await running.engine.devices.register(Presented(key=key, fingerprint=fingerprint), by)
    assert found.status == status, found
