"""`countersign-gate ssh`: waits until a grant lets its account connect, then relays bytes both ways.

It is the only command of a bastion's sshd (ForceCommand, sshd_config(5)); what the person's client asked to run is in
SSH_ORIGINAL_COMMAND, and must be `HOST PORT [OPTION]` or `certificate ...`. Nothing of it reaches a shell.
Standard input that ends while it waits means that the person has gone; SIGINT and SIGTERM withdraw the request at once.
"""

import os
import re
import select
import signal
import socket
import threading
from contextlib import suppress
from typing import NamedTuple, NoReturn

from countersign.gates import protocol
from countersign.gates.protocol import BAD_INPUT, FAULT, INTERRUPTED, NO, OK, UNAVAILABLE, Message, Service

# Options after HOST PORT: not to wait for the yes, or to end with the yes.
NO_WAIT, ASK_ONLY = "--no-wait", "--ask-only"
# A variable of the person's environment, if sshd accepts it (AcceptEnv): `no` means not to wait.
WAIT_VARIABLE = "COUNTERSIGN_WAIT"
# An id of a device, and a port, as a client may name them.
DEVICE, PORT = r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}", r"[0-9]{1,5}"
ASKED = re.compile(rf"(?:countersign-gate ssh )?({DEVICE}) ({PORT})( {NO_WAIT}| {ASK_ONLY})?")
HOW = (
    "This host only leads on to others. Write to your ~/.ssh/config, and then connect to the host itself:\n"
    "  Host db-1\n"
    "    ProxyCommand ssh BASTION %h %p\n"
)
BUFFER_BYTES = 256 * 1024
IN, OUT, ERR = 0, 1, 2
# poll(2): POLLHUP says that nobody can write to a pipe any more, POLLRDHUP that nobody can to a socket.
GONE = select.POLLHUP | select.POLLRDHUP | select.POLLERR | select.POLLNVAL


class Asked(NamedTuple):
    """What to connect to."""

    host: str
    port: int
    waits: bool
    asks_only: bool
    socket: str


class Withdrawn(Exception):
    """A signal says that the connection is no longer wanted."""


def run(arguments: list[str]) -> int:
    """Ask, wait and relay; returns the exit code."""
    if not arguments and os.environ.get("SSH_ORIGINAL_COMMAND", "").startswith("certificate "):
        from countersign.gates import ssh_certificate

        return ssh_certificate.run(os.environ["SSH_ORIGINAL_COMMAND"])
    asked = _asked(arguments)
    if asked is None:
        _tell(HOW)
        return BAD_INPUT
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _withdraw)
    try:
        service = Service(asked.socket)
    except Withdrawn:
        return INTERRUPTED
    except OSError as error:
        say(
            f"The gate service can't be reached ({error.strerror}): nobody gets in until it runs; tell whoever runs it."
        )
        return UNAVAILABLE
    try:
        return _through(service, asked)
    except Withdrawn:
        return _withdrawn(service)
    except TimeoutError:
        say("The gate service does not answer: nobody gets in until it is restarted; tell whoever runs it.")
        return UNAVAILABLE
    except (OSError, EOFError):
        say("The gate service has ended, and the connection with it.")
        return UNAVAILABLE
    except (ValueError, LookupError):
        say("The gate service's answer can't be read; is it another version?")
        return FAULT


def _asked(arguments: list[str]) -> Asked | None:
    """What the arguments ask for or, if they name nothing, the person's client; None if that is unclear."""
    path, waits = protocol.SOCKET, wants_to_wait()
    rest = list(arguments)
    if "--socket" in rest[:-1]:
        at = rest.index("--socket")
        path = rest[at + 1]
        del rest[at : at + 2]
    if NO_WAIT in rest:
        waits = False
        rest.remove(NO_WAIT)
    typed = " ".join(rest) if rest else os.environ.get("SSH_ORIGINAL_COMMAND", "")
    found = ASKED.fullmatch(typed)
    if found is None or not 0 < int(found[2]) < 65536:
        return None
    option = (found[3] or "").strip()
    return Asked(found[1], int(found[2]), waits and option != NO_WAIT, option == ASK_ONLY, path)


def wants_to_wait() -> bool:
    """Whether to wait for the yes; the person's environment may say no."""
    return os.environ.get(WAIT_VARIABLE, "").lower() not in {"no", "0", "false"}


def source_address() -> str:
    """Where the person comes from, according to sshd; "" without sshd."""
    return os.environ.get("SSH_CONNECTION", "").partition(" ")[0]


def _through(service: Service, asked: Asked) -> int:
    question = {"gate": "ssh", "device": asked.host, "port": asked.port, "wait": asked.waits}
    service.ask(question | {"source_address": source_address()})
    poll = select.poll()
    poll.register(service.socket, select.POLLIN)
    # Without POLLIN: what the person's client sends before the yes is left unread until then.
    # A program that doesn't wait may have closed its end already.
    if asked.waits:
        poll.register(IN, select.POLLRDHUP)
    relay: Relay | None = None
    while True:
        for place, event in poll.poll():
            if place == IN and event & GONE:
                return NO
            if place == service.socket.fileno():
                for message in service.receive():
                    code = take(message, in_session=relay is not None)
                    if code is not None:
                        return code
                    if "yes" in message and asked.asks_only:
                        return OK
                    if "yes" in message and relay is None:
                        if asked.waits:
                            poll.unregister(IN)
                        relay = Relay(socket.socket(fileno=service.passed.pop(0)))
                        poll.register(relay.done, select.POLLIN)
            elif relay is not None and place == relay.done.fileno():
                return OK


def take(message: Message, in_session: bool = False) -> int | None:
    """Tell the person what the service says; returns the exit code if that ends it."""
    for kind in ("say", "no", "end"):
        if kind in message:
            say(str(message[kind]), in_session)
    if "no" in message:
        code = message.get("code")
        return code if isinstance(code, int) and 0 < code < 256 else NO
    return NO if "end" in message else None


class Relay:
    """Passes bytes both ways, in a thread each: no slow or silent side holds up the other way, or the session's end."""

    def __init__(self, target: socket.socket) -> None:
        """`done` is readable when both ways have ended."""
        self.done, self._done = socket.socketpair()
        self._target = target
        for number in (IN, OUT):
            os.set_blocking(number, True)
        ways = [threading.Thread(target=way, daemon=True) for way in (self._send, self._receive)]
        self._left, self._lock = len(ways), threading.Lock()
        for way in ways:
            way.start()

    def _send(self) -> None:
        """Pass on to the target; when it takes no more, what comes from it is still passed on."""
        buffer = memoryview(bytearray(BUFFER_BYTES))
        with suppress(OSError):
            while size := os.readv(IN, [buffer]):
                self._target.sendall(buffer[:size])
            self._target.shutdown(socket.SHUT_WR)
        self._end_way()

    def _receive(self) -> None:
        """Pass on from the target; when the person takes no more, both ways end."""
        buffer = memoryview(bytearray(BUFFER_BYTES))
        try:
            while size := self._target.recv_into(buffer):
                sent = 0
                while sent < size:
                    sent += os.write(OUT, buffer[sent:size])
            os.close(OUT)
        except OSError:
            self._done.close()
        self._end_way()

    def _end_way(self) -> None:
        with self._lock:
            self._left -= 1
            if not self._left:
                self._done.close()


def _withdraw(number: int, frame: object) -> NoReturn:
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)
    raise Withdrawn


def _withdrawn(service: Service) -> int:
    with suppress(OSError):
        service.send({"cancel": True})
    say("Withdrawn.")
    return INTERRUPTED


def say(sentence: str, in_session: bool = False) -> None:
    """Tell the person something."""
    # In a session their terminal is raw: a line feed alone would leave it in the middle of a line.
    _tell(f"\r\ncountersign: {sentence}\r\n" if in_session else f"countersign: {sentence}\n")


def _tell(text: str) -> None:
    """Write to the person, who may be gone."""
    with suppress(OSError):
        os.write(ERR, text.encode(errors="replace"))
