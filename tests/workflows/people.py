"""The people, devices and rules that the tests of the workflows play with; JSON is YAML too."""

from __future__ import annotations

import json
from copy import deepcopy
from itertools import count
from typing import Any

from countersign.directory import Policy
from engine import policy as policies
from store import Store

PEOPLE = ("ada", "alice", "bob", "carol", "dave", "erin", "grace", "heidi", "ivan", "judy")
ADMIN = "ada"
# Each device is asked for once; most tests ask for those of `web`, and all tests may run in one process.
DEVICES_OF_A_GROUP, DEVICES_OF_WEB = 150, 600

_DOCUMENT: dict[str, Any] = {
    "users": {
        one: {
            "name": f"{one.title()} {one[0].upper()}.",
            "email": f"{one}@example.test",
            "roles": ["admin"] if one == ADMIN else [],
        }
        for one in PEOPLE
    },
    "user_groups": {
        "engineers": {
            "members": ["alice", "bob", "grace"],
            "managers": ["grace"],
            "require_managerial_approval": True,
        },
        "finance": {"members": ["carol", "heidi"], "managers": ["heidi"]},
        "operators": {"members": ["dave", "erin"], "managers": ["ivan"]},
    },
    "device_groups": {
        "web": {},  # nobody requires approval here, but the engineers' own group does
        "vaults": {"managers": ["ivan"], "require_managerial_approval": True},
        "bastions": {"require_managerial_approval": True},  # it names no managers
        "databases": {"managers": ["heidi", "ivan"], "require_managerial_approval": True},
        "routers": {"managers": ["heidi"]},
    },
    "approval_workflows": [
        {
            "name": "Engineers to databases",
            "user_group": "engineers",
            "device_group": "databases",
            "levels": [
                {"approvers": [{"managers_of": "engineers"}]},
                {"approvers": [{"managers_of": "databases"}, {"user": "ada"}], "quorum": 2},
            ],
        },
        {
            "name": "Operators to routers",
            "user_group": "operators",
            "device_group": "routers",
            "levels": [
                {
                    "approvers": [{"members_of": "operators"}, {"user": "heidi"}],
                    "quorum": 2,
                    "members_may_approve_themselves": True,
                }
            ],
        },
    ],
    "fallback_approvers": ["ada", "judy"],
    "auto_approve_when_requester_is_approver": True,
    "approval_status_change_to_expire": 60,
    "grant_minutes": 120,
}
for _name, _group in _DOCUMENT["device_groups"].items():
    _many = DEVICES_OF_WEB if _name == "web" else DEVICES_OF_A_GROUP
    _group["devices"] = [f"{_name}-{n}" for n in range(1, _many + 1)]


def policy(disabled: tuple[str, ...] = (), without: tuple[str, ...] = (), **changed: Any) -> str:
    """The policy file. `disabled` people stay in it; `without` drops top-level fields."""
    document = deepcopy(_DOCUMENT)
    for person in disabled:
        document["users"][person]["disabled"] = True
    for field in without:
        document.pop(field)
    for name, value in changed.items():
        if isinstance(value, dict) and isinstance(document.get(name), dict):
            for key, fields in value.items():
                document[name].setdefault(key, {}).update(fields)
        else:
            document[name] = value
    return json.dumps(document, indent=1)


def put_in_force(store: Store, text: str) -> None:
    """Put a policy in force unchecked, as one that was applied before a check existed."""
    document = json.loads(text)
    read = policies.ReadPolicy(text, Policy.model_validate(document), document)
    policies.put_in_force(store, read, "ada")


class Devices:
    """Hands out each device once, so that no test gets the request or grant of another."""

    def __init__(self) -> None:
        self._numbers = {name: count(1) for name in _DOCUMENT["device_groups"]}

    def fresh(self, group: str) -> str:
        """A device of this group that nobody asked for yet."""
        return f"{group}-{next(self._numbers[group])}"
