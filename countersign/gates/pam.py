"""`countersign-gate pam`: what pam_exec(8) starts at a login. It asks the gate service whether the person may come in.

It runs as root, with variables that the person may have set (`~/.pam_environment`): only those that pam_exec itself
added count. The program that the person logs in with shows what it prints: sudo, su and login at once, sshd after the
decision. It uses the standard library alone, as every login waits for it.
"""

import os
import select
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from countersign.gates.protocol import CONFIG, FAULT, NO, NOT_ALLOWED, OK, SOCKET, UNAVAILABLE, Message, Service
from countersign.gates.terminal import Terminal

# Services where PAM_RUSER says who calls, and PAM_USER may be the account they want to become.
CALLERS = frozenset({"sudo", "sudo-i", "su", "su-l"})
# Services that show at once what is printed here, if there is a terminal.
SHOWN_AT_ONCE = CALLERS | {"login"}
SSHD = "sshd"
# As pam_exec adds them, in this order, behind all other variables.
ITEMS = ("PAM_SERVICE", "PAM_USER", "PAM_TTY", "PAM_RHOST", "PAM_RUSER", "PAM_TYPE")
# How often to look whether the person has gone; each look reads all connections of the host.
LOOK_SECONDS = 10.0
# The state of a connection in /proc/net/tcp (tcp_states.h of Linux).
ESTABLISHED = "01"
FORGED = "The login has variables that only PAM may set, so nobody is let in. Remove them from ~/.pam_environment."
AWAY = "The gate service of this host does not answer, so nobody is let in: an administrator has to restart it."
GONE = "The gate service has ended, so nobody is let in: try again."
Items = Mapping[str, str]


def run(arguments: list[str]) -> int:
    """Answer pam_exec by the exit code: 0 lets the login go on, everything else refuses it."""
    config = arguments[0] if arguments else CONFIG
    kind, code = "", FAULT
    try:
        items = read_items(Path("/proc/self/environ").read_bytes())
        kind = items["PAM_TYPE"]
        code = _ask(items, config) if kind in {"account", "open_session"} else OK
    except ValueError as error:
        code = _refuse(str(error), NOT_ALLOWED)
    finally:
        if code != OK and kind != "account":
            _stop_sshd()
    return code


def read_items(environment: bytes) -> Items:
    """PAM's items, of the environment as it was at the start. ValueError if they are missing, forged or not UTF-8."""
    entries = [part.decode(errors="surrogateescape").partition("=") for part in environment.split(b"\0") if part]
    names = [name for name, _, _ in entries]
    if "PAM_SERVICE" not in names or "PAM_TYPE" not in names:
        raise ValueError("This is started by PAM alone: see `countersign gate install pam`.")
    first = len(names) - 1 - names[::-1].index("PAM_SERVICE")
    if any(name in ITEMS for name in names[:first]) or len(set(names[first:])) < len(names[first:]):
        raise ValueError(FORGED)
    if any("\udc80" <= character <= "\udcff" for _, _, value in entries[first:] for character in value):
        raise ValueError("The login has a name that is no UTF-8; nobody is let in by it.")
    return dict.fromkeys(ITEMS, "") | {name: value for name, _, value in entries[first:]}


def question(items: Items, leader: int) -> Message:
    """What the gate service is asked."""
    return {
        "gate": "pam",
        "type": items["PAM_TYPE"],
        "service": items["PAM_SERVICE"],
        "user": items["PAM_USER"],
        "ruser": items["PAM_RUSER"],
        "rhost": items["PAM_RHOST"],
        "tty": items["PAM_TTY"],
        "pid": leader,
        "wait": can_wait(items, leader),
    }


def can_wait(items: Items, leader: int) -> bool:
    """Whether the person may be kept waiting: they see what is printed here, or at least chose to answer questions.

    sshd shows what is printed only when it is decided. It asks PAM in the process `sshd: alice [pam]` if the client
    takes part in a dialogue (keyboard-interactive), and in `[priv]` for a key or a password, which programs use.
    """
    if items["PAM_SERVICE"] == SSHD:
        with suppress(OSError):
            return Path(f"/proc/{leader}/cmdline").read_bytes().rstrip(b"\0 ").endswith(b"[pam]")
        return False
    return items["PAM_SERVICE"] in SHOWN_AT_ONCE and bool(items["PAM_TTY"])


def _ask(items: Items, config: str) -> int:
    leader = os.getppid()
    # Not even a service that hangs keeps out somebody who is exempt.
    if items["PAM_SERVICE"] not in CALLERS and _is_exempt(items, config):
        return OK
    try:
        watched = os.pidfd_open(leader)
        service = Service(str(_config(config).get("socket", SOCKET)))
        service.ask(question(items, leader))
    except OSError:
        return OK if _is_exempt(items, config) else _refuse(AWAY, UNAVAILABLE)
    terminal = _terminal(items, leader)
    try:
        return _follow(service, watched, terminal, items, leader)
    except (EOFError, OSError):
        return _refuse(GONE, UNAVAILABLE)
    except ValueError:
        return _refuse(GONE, FAULT)
    finally:
        if terminal:
            terminal.close()


def _follow(service: Service, watched: int, terminal: Terminal | None, items: Items, leader: int) -> int:
    """Show what the service says until it has decided, or the person has gone."""
    at_once = items["PAM_SERVICE"] in SHOWN_AT_ONCE
    last = ""
    watch = [service.socket.fileno(), watched] + ([terminal.descriptor] if terminal else [])
    while True:
        ready, _, _ = select.select(watch, [], [], LOOK_SECONDS)
        if terminal and terminal.descriptor in ready and terminal.is_given_up():
            service.send({"cancel": True})
            return NO
        # Whoever took too long for sshd or login, or was cut off, may come back: their request is not withdrawn.
        if watched in ready or (terminal and terminal.is_gone):
            return NO
        if service.socket.fileno() not in ready:
            if items["PAM_SERVICE"] == SSHD and _has_hung_up(leader):
                return NO
            continue
        for message in service.receive():
            if "say" in message:
                last = str(message["say"])
                if at_once:
                    _show(last)
            elif "no" in message:
                return _refuse(str(message["no"]), int(message.get("code", NO)) or NO)
            elif "yes" in message:
                if last and not at_once:
                    _show(last)
                return OK


def _terminal(items: Items, leader: int) -> Terminal | None:
    """The terminal that somebody may wait at, if any."""
    if items["PAM_TYPE"] != "account" or not (items["PAM_SERVICE"] in SHOWN_AT_ONCE and items["PAM_TTY"]):
        return None
    try:
        return Terminal(items["PAM_TTY"], leader)
    except (OSError, IndexError):
        return None


def _has_hung_up(leader: int) -> bool:
    """Whether the client of an sshd has ended its connection, which sshd itself doesn't notice while PAM decides."""
    folder = Path(f"/proc/{leader}")
    try:
        own = {os.readlink(one) for one in (folder / "fd").iterdir()}
        tables = [(folder / "net" / name).read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    except OSError:
        return False
    connections = [line.split() for table in tables for line in table]
    return not any(fields[3] == ESTABLISHED and f"socket:[{fields[9]}]" in own for fields in connections)


def _is_exempt(items: Items, config: str) -> bool:
    """Whether somebody gets in without the service: those who are exempt, and root as the caller of sudo or su."""
    caller = items["PAM_SERVICE"] in CALLERS
    section = _config(config).get("pam")
    exempt = section.get("exempt") if isinstance(section, dict) else None
    person = items["PAM_RUSER"] if caller else items["PAM_USER"]
    return (caller and person == "root") or (isinstance(exempt, list) and person in exempt)


def _config(file: str) -> Message:
    import tomllib

    try:
        text = Path(file).read_bytes().decode(errors="replace")
    except OSError:
        return {}
    try:
        return tomllib.loads(text)
    except ValueError:
        return {"pam": {"exempt": exempt_despite_errors(text)}}


def exempt_despite_errors(text: str) -> object:
    """The first whole list `exempt` in a gate.toml that has an error elsewhere, so that no mistake locks them out."""
    import re
    import tomllib

    for found in re.finditer(r"^[ \t]*exempt[ \t]*=[ \t]*\[", text, re.M):
        for end in re.finditer(r"\]", text[found.end() :]):
            with suppress(ValueError):
                return tomllib.loads(text[found.start() : found.end() + end.end()])["exempt"]
    return []


def _stop_sshd() -> None:
    """End the connection: if the session could not be opened, sshd keeps it and runs nothing in it."""
    import signal

    leader = os.getppid()
    with suppress(OSError):
        if Path(f"/proc/{leader}/comm").read_text().startswith(SSHD):
            os.kill(leader, signal.SIGTERM)


def _refuse(why: str, code: int) -> int:
    _show(why)
    return code


def _show(text: str) -> None:
    """Print one line, as pam_exec passes lines on; the person may have gone."""
    with suppress(OSError):
        line = "".join(character if character.isprintable() else " " for character in text)
        sys.stdout.buffer.write(f"{line}\n".encode())
        sys.stdout.buffer.flush()
