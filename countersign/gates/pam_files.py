"""The files of a host whose logins PAM has the gate asked about."""

from pathlib import Path

from countersign.errors import CountersignError
from countersign.gates import protocol
from countersign.gates.config import read_config
from countersign.gates.install import File
from countersign.gates.pam_config import pam_files
from countersign.gates.service_files import CONFIG, service_files

SKELETON = """\
url = "https://access.example.com"
token_file = "/etc/countersign/gate.token"
grace = "5m"
retry_within = "60s"

[pam]
# What the policy calls this host.
device = "web-1"
wait = "1h"
# Accounts that get in without being asked about, also while the gate service does not run.
exempt = []
"""


def pam_install_files(ready_only: bool) -> list[File]:
    """The files of the service and of PAM; with `ready_only`, those of PAM where the service answers alone.

    Written before, they would let nobody in.
    """
    config = Path(CONFIG)
    files = service_files(CONFIG, SKELETON)
    if ready_only and not _is_ready(config):
        return files
    return files + [File(path, text, 0o644, adds=True) for path, text in pam_files(config).items()]


def _is_ready(config: Path) -> bool:
    try:
        read = read_config(config)
        protocol.Service(str(read.socket)).close()
    except (CountersignError, OSError):
        return False
    return read.pam is not None
