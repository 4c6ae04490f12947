"""`ssh bastion certificate db-1 < ~/.ssh/id_ed25519.pub`: waits until a grant lets its account connect.

Then it prints a certificate for the key, which the gate service signs. Of the standard library alone.
"""

import os
import re
import select
import sys
from contextlib import suppress

from countersign.gates.protocol import BAD_INPUT, OK, SOCKET, UNAVAILABLE, Message, Service

ASKED = re.compile(r"certificate ([A-Za-z0-9][A-Za-z0-9._@+-]{0,127})(?: ([0-9]{1,5}))?( --no-wait)?")
SSH_PORT = 22
LONGEST_KEY_BYTES = 16 * 1024
OUT = 1
GONE = "The gate service can't be reached, or has ended: nobody gets in until it runs; tell who runs it."
HOW = "Write: ssh bastion certificate DEVICE [PORT] < ~/.ssh/id_ed25519.pub"


def run(typed: str) -> int:
    """Ask, wait and print; returns the exit code."""
    asked = ASKED.fullmatch(typed)
    if asked is None or not 0 < int(asked[2] or SSH_PORT) < 65536:
        return _ends(HOW, BAD_INPUT)
    key = sys.stdin.buffer.read(LONGEST_KEY_BYTES)
    waits = not asked[3] and os.environ.get("COUNTERSIGN_WAIT", "").lower() not in {"no", "0", "false"}
    question = {
        "gate": "certificate",
        "device": asked[1],
        "port": int(asked[2] or SSH_PORT),
        "source_address": os.environ.get("SSH_CONNECTION", "").partition(" ")[0],
        "wait": waits,
        "key": key.decode(errors="replace"),
    }
    try:
        return _ask(Service(SOCKET), question)
    except (OSError, EOFError, ValueError):
        return _ends(GONE, UNAVAILABLE)


def _ask(service: Service, question: Message) -> int:
    service.send(question)
    poll = select.poll()
    poll.register(service.socket, select.POLLIN)
    # Standard input has ended; that the person has gone is seen by nobody reading.
    poll.register(OUT, 0)
    while True:
        for place, _ in poll.poll():
            if place == OUT:
                return UNAVAILABLE
            for message in service.receive():
                if "say" in message:
                    _ends(str(message["say"]), OK)
                if "no" in message:
                    return _ends(str(message["no"]), int(message.get("code", UNAVAILABLE)))
                if "certificate" in message:
                    sys.stdout.write(f"{message['certificate']}\n")
                    return OK


def _ends(sentence: str, code: int) -> int:
    with suppress(OSError):
        sys.stderr.write(f"countersign: {sentence}\n")
        sys.stderr.flush()
    return code
