"""`ssh bastion certificate db-1 < ~/.ssh/id_ed25519.pub`: waits until a grant lets its account connect.

Then it prints a certificate for the key, which the gate service signs. It uses the standard library alone.
"""

import re
import select
import sys

from countersign.gates.protocol import BAD_INPUT, OK, SOCKET, UNAVAILABLE, Message, Service
from countersign.gates.ssh import DEVICE, NO_WAIT, OUT, PORT, say, source_address, take, wants_to_wait

ASKED = re.compile(rf"certificate ({DEVICE})(?: ({PORT}))?( {NO_WAIT})?")
SSH_PORT = 22
LONGEST_KEY_BYTES = 16 * 1024
# A key from a file comes sooner than this.
KEY_SECONDS = 5.0
GONE = (
    "The gate service can't be reached, has ended, or does not answer: nobody gets in until it runs; "
    "tell whoever runs it."
)
HOW = "Write: ssh bastion certificate DEVICE [PORT] < ~/.ssh/id_ed25519.pub"


def run(typed: str) -> int:
    """Ask, wait and print; returns the exit code."""
    asked = ASKED.fullmatch(typed)
    if asked is None or not 0 < int(asked[2] or SSH_PORT) < 65536:
        say(HOW)
        return BAD_INPUT
    question = {
        "gate": "certificate",
        "device": asked[1],
        "port": int(asked[2] or SSH_PORT),
        "source_address": source_address(),
        "wait": not asked[3] and wants_to_wait(),
        "key": _key(),
    }
    try:
        return _ask(Service(SOCKET), question)
    except (OSError, EOFError, ValueError):
        say(GONE)
        return UNAVAILABLE


def _key() -> str:
    """The key from standard input; if nothing comes for KEY_SECONDS, the person is told what to write."""
    if not select.select([sys.stdin], [], [], KEY_SECONDS)[0]:
        say(HOW)
    return sys.stdin.buffer.read(LONGEST_KEY_BYTES).decode(errors="replace")


def _ask(service: Service, question: Message) -> int:
    service.ask(question)
    poll = select.poll()
    poll.register(service.socket, select.POLLIN)
    # Standard input has ended by now. The person has gone when nobody reads the output any more.
    poll.register(OUT, 0)
    while True:
        for place, _ in poll.poll():
            if place == OUT:
                return UNAVAILABLE
            for message in service.receive():
                if (code := take(message)) is not None:
                    return code
                if "certificate" in message:
                    sys.stdout.write(f"{message['certificate']}\n")
                    return OK
