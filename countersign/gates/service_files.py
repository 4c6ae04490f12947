"""The files that every gate of a host needs: the gate service's configuration, and its unit for systemd."""

import shutil
import sys
from pathlib import Path

from countersign.gates.install import File, file
from countersign.gates.protocol import CONFIG

SKELETON = """\
url = "https://access.example.com"
token_file = "/etc/countersign/gate.token"
socket = "/run/countersign/gate.sock"
grace = "5m"
retry_within = "60s"

# A device that isn't named here can't be reached through this host.
[devices.db-1]
address = "10.0.0.5"
ports = { ssh = 22 }
"""
UNIT = """\
[Unit]
Description=Countersign's gate service
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart={program} gate serve --config {config}
RuntimeDirectory=countersign
# What it keeps of open sessions outlives a restart.
RuntimeDirectoryPreserve=yes
Restart=always
RestartSec=1
NoNewPrivileges=yes
ProtectSystem=strict
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
"""


def service_files(skeleton: str = SKELETON) -> list[File]:
    """The configuration to fill in, and the unit that starts the service."""
    unit = UNIT.format(program=program("countersign"), config=CONFIG)
    return [file(CONFIG, skeleton, to_fill=True), file("/etc/systemd/system/countersign-gate.service", unit)]


def program(name: str) -> str:
    """Where a program of this installation is, as files must name it."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name) or f"/usr/local/bin/{name}"
