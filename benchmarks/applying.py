"""How long it takes to read a large policy, from its bytes to what is stored."""

import random
import time
from collections.abc import Callable
from statistics import median

from engine.policy import ReadPolicy

PEOPLE = 8_000
TURNS = 5


def large_policy(people: int = PEOPLE) -> str:
    """A directory of this many people, each in two of 60 groups, and 2,000 devices in 40 groups; always the same."""
    chance = random.Random(people)
    ids = [f"p{n:05}" for n in range(people)]
    members: dict[str, list[str]] = {f"g{n}": [] for n in range(60)}
    for person in ids:
        for group in chance.sample(sorted(members), 2):
            members[group].append(person)
    return "\n".join(
        [
            "users:",
            *(_user(n, person, ids[chance.randrange(100)]) for n, person in enumerate(ids)),
            "user_groups:",
            *(_user_group(n, name, theirs, ids) for n, (name, theirs) in enumerate(members.items())),
            "device_groups:",
            *(_device_group(n, ids) for n in range(40)),
            "approval_workflows:",
            *(_workflow(n) for n in range(60)),
            f"fallback_approvers: [{', '.join(ids[:4])}]\n",
        ]
    )


def milliseconds_to_read(say: Callable[[str], None]) -> dict[str, float]:
    """The median processor time."""
    say(f"{TURNS} times a policy of {PEOPLE:,} people")
    file = large_policy().encode()
    turns = []
    for _ in range(TURNS):
        started = time.process_time()
        ReadPolicy.of(file)
        turns.append((time.process_time() - started) * 1000)
    return {f"policy of {PEOPLE} people read, ms": median(turns)}


def _user(n: int, person: str, boss: str) -> str:
    also = f"\n    line_manager: {boss}" if n >= 100 else "\n    roles: [admin]"
    return f"  {person}:\n    name: Person Number {n}\n    email: {person}@example.test{also}"


def _user_group(n: int, name: str, members: list[str], ids: list[str]) -> str:
    entries = "".join(f"\n      - {person}" for person in members)
    managers = f"[{', '.join(ids[n : n + 3])}]"
    return f"  {name}:\n    managers: {managers}\n    require_managerial_approval: true\n    members:{entries}"


def _device_group(n: int, ids: list[str]) -> str:
    devices = "".join(f"\n      - host-{m}" for m in range(n * 50, (n + 1) * 50))
    return f"  d{n}:\n    managers: [{ids[n]}, {ids[n + 1]}]\n    devices:{devices}"


def _workflow(n: int) -> str:
    levels = (
        f"\n      - approvers: [line_manager, {{managers_of: d{n % 40}}}]\n      - approvers: [{{managers_of: g{n}}}]"
    )
    return f"  - name: W{n}\n    user_group: g{n}\n    device_group: d{n % 40}\n    levels:{levels}"
