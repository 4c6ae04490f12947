"""The calls that docs/gateways.md shows, run as they stand, one after another."""

from __future__ import annotations

import json
import os
import re
import subprocess
import uuid
from typing import Any

from tests.countersign.gates.gate_installation import GateInstallation
from tests.countersign.installation import ROOT

CALLS = re.findall(r"^curl .*$", (ROOT / "docs" / "gateways.md").read_text(), re.MULTILINE)


def called(gates: GateInstallation, call: str, device: str, number: int) -> Any:
    """What the portal answers to a call of the page, about this device and request."""
    call = call.replace("db-1", device).replace("1042", str(number)).replace("connection-1", uuid.uuid4().hex)
    environment = {"PATH": os.environ["PATH"], "PORTAL": gates.installation.url, "TOKEN": gates.token}
    done = subprocess.run(["sh", "-c", call], env=environment, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


def test_the_calls_of_the_page_work_as_they_stand(gate_installation: GateInstallation) -> None:
    ask, wait, cancel, give_back = CALLS
    gates, device = gate_installation, gate_installation.device()
    asked = called(gates, ask, device, 0)
    number = asked["approval_id"]
    assert (asked["status"], called(gates, ask, device, 0)["approval_id"]) == ("Waiting", number)
    assert called(gates, wait, device, number)["deadline"]
    assert called(gates, cancel, device, number)["status"] == "Cancelled"

    second = called(gates, ask, device, 0)["approval_id"]
    assert second > number
    gates.approve(second)
    view = called(gates, wait, device, second)
    assert (view["status"], view["grant"]["status"], view["grant"]["source_address"]) == (
        "Approved",
        "Active",
        "192.0.2.7",
    )
    assert called(gates, give_back, device, second)["grant"]["status"] == "Ended"
