"""Completes the names of devices in a shell, by asking the portal; silent if that is not possible."""

import hashlib
import json
import os
import time
from contextlib import suppress
from typing import Annotated

import typer

from countersign.cli import own_files
from countersign.cli.options import of_login
from countersign.errors import CountersignError, Unavailable
from countersign.http import Api, is_loopback
from countersign.kinds.connection import ConnectionProtocol

# Short, as somebody waits at a prompt.
ANSWER_SECONDS = 2.0
MOST_SHOWN = 100
# How long an answer is reused, as people press several keys in a row.
KEPT_SECONDS = 30
FILE = "devices.json"


def device_names(context: typer.Context, incomplete: str) -> list[str]:
    """The devices that begin with what was typed so far."""
    given = [
        str(context.params.get(one) or os.environ.get(f"COUNTERSIGN_{one.upper()}") or "") for one in ("url", "token")
    ]
    url, token = of_login(*given)
    typed = incomplete.strip().lower()
    asked = hashlib.sha256("\n".join([url, token, typed]).encode()).hexdigest()
    found = _kept(asked)
    if found is None:
        with suppress(CountersignError), Api(url, token, ANSWER_SECONDS) as api:
            # Nobody could be warned here that the token goes unencrypted, so it is not sent.
            if api.url.scheme == "https" or is_loopback(api.url.host):
                found = [one.device for one in api.devices(typed, MOST_SHOWN)]
                _keep(asked, found)
    return [device for device in found or [] if device.startswith(typed)]


def _kept(asked: str) -> list[str] | None:
    with suppress(ValueError, KeyError, TypeError):
        kept = json.loads(own_files.read(FILE, own_files.CACHE))
        if kept["asked"] == asked and 0 <= time.time() - kept["at"] < KEPT_SECONDS:
            return [str(one) for one in kept["devices"]]
    return None


def _keep(asked: str, devices: list[str]) -> None:
    kept = {"asked": asked, "at": time.time(), "devices": devices}
    with suppress(Unavailable):
        own_files.write(FILE, json.dumps(kept), own_files.CACHE)


Device = Annotated[
    str, typer.Argument(metavar="DEVICE", help="The id of the device to connect to.", autocompletion=device_names)
]
How = Annotated[
    ConnectionProtocol,
    typer.Argument(metavar="PROTOCOL", case_sensitive=False, help=f"How to connect: {', '.join(ConnectionProtocol)}."),
]
