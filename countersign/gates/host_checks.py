"""What `countersign doctor --gate` finds on a host: whether its gates can let people in, and keep all others out."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Literal

from countersign.checks import in_order
from countersign.errors import CountersignError
from countersign.gates import protocol
from countersign.gates.accounts import account_named
from countersign.gates.config import GateConfig, portal, read_config
from countersign.gates.login_sessions import SESSIONS_FILE
from countersign.gates.logins import PamSection
from countersign.gates.pam_files import LOGINS, PAM_FOLDER, may_not_ask, pam_files, pam_protocols
from countersign.gates.processes import NO_LOGIN
from countersign.gates.sessions import HostSession, Sessions
from countersign.times import duration
from countersign.views import Finding

SSHD = "/usr/sbin/sshd"
LOGIN_DEFS = Path("/etc/login.defs")
# Where the kernel has audit, the number of a process's login (audit_get_session(3)).
SESSION_ID = Path("/proc/self/sessionid")
RUN_SECONDS = 10.0
SOCKET_MODE = 0o666
# The default of LOGIN_TIMEOUT in seconds (login(1)).
LOGIN_TIMEOUT = 60


def findings(file: Path) -> list[Finding]:
    """What is found, the worst first; `file` is gate.toml. Nothing is changed."""
    try:
        config = read_config(file)
    except CountersignError as error:
        return [Finding(part="gate.toml", state="problem", about=str(file), message=str(error))]
    found = [_ok("gate.toml", str(file), "can be read"), *_portal(config), *_service(config)]
    if config.pam:
        found += [
            *_pam(file),
            *_exempt(config.pam),
            *_sshd(config.pam),
            *_login(config.pam),
            *_audit(_sessions(config)),
        ]
    return in_order(found)


def _portal(config: GateConfig) -> Iterator[Finding]:
    try:
        with portal(config) as api:
            me = api.me()
    except CountersignError as error:
        yield _problem("portal", config.url, str(error))
        return
    if me.kind != "gateway":
        remedy = "make one by `python -m portal token create --gateway NAME`"
        yield _problem("portal", config.url, f"the token is {me.name}'s, who is not a gateway; {remedy}")
        return
    yield _ok("portal", config.url, f"takes the token of gateway {me.name}")
    for device, protocols in sorted(_asked_for(config).items()):
        if why := may_not_ask(me, device, protocols):
            yield _problem("device", device, why)
        else:
            yield _ok("device", device, "may be asked for")


def _asked_for(config: GateConfig) -> dict[str, set[str]]:
    """The devices that the gates of this host ask for, each with the protocols that are known."""
    asked = {device: set(target.ports) for device, target in config.devices.items()}
    if config.pam:
        asked.setdefault(config.pam.device, set()).update(pam_protocols())
    if config.warpgate and config.warpgate.enabled:
        for device in config.warpgate.targets.values():
            asked.setdefault(device, set())
    return asked


def _service(config: GateConfig) -> Iterator[Finding]:
    about = str(config.socket)
    try:
        protocol.must_answer(about)
        mode = config.socket.stat().st_mode & 0o777
    except OSError as error:
        left = len(_sessions(config))
        stay = f", and sessions that it let in stay even when their grants end ({left})" if left else ""
        why = f"nothing answers ({error.strerror}), so nobody is let in{stay}"
        yield _problem("gate service", about, f"{why}; start `countersign gate serve`, as root for PAM")
        return
    if mode == SOCKET_MODE:
        yield _ok("gate service", about, "answers")
    else:
        yield _problem("gate service", about, f"has mode {mode:04o}, so people can't ask; start the service again")


def _pam(file: Path) -> Iterator[Finding]:
    for path, wanted in pam_files(file).items():
        if path.read_text() == wanted:
            yield _ok("PAM", str(path), "asks the gate first")
        else:
            remedy = "run `countersign gate install pam --write`"
            yield _problem(
                "PAM",
                str(path),
                f"does not ask the gate first, or not in the right way, so it lets people in; {remedy}",
            )


def _exempt(pam: PamSection) -> Iterator[Finding]:
    """Whether somebody gets in when the gate fails."""
    unknown = [one for one in pam.exempt if account_named(one) is None]
    if unknown:
        yield _warning("PAM", "exempt", f"names {', '.join(unknown)}, which this host does not know; make the account")
    elif pam.exempt:
        yield _ok("PAM", "exempt", f"lets {', '.join(pam.exempt)} in when the gate fails")
    else:
        yield _warning("PAM", "exempt", "names nobody, so nobody gets in when the gate fails; name an account")


def _sshd(pam: PamSection) -> Iterator[Finding]:
    if not (PAM_FOLDER / "sshd").is_file():
        return
    try:
        done = subprocess.run([SSHD, "-T"], capture_output=True, text=True, timeout=RUN_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        yield _problem("sshd", SSHD, f"can't say how it is set up ({type(error).__name__}); run `{SSHD} -T` as root")
        return
    says = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
    if says.get("usepam") != "yes":
        yield _problem("sshd", "UsePAM", "is off, so nobody is asked about; set `UsePAM yes`")
    elif says.get("usedns") == "yes":
        yield _problem("sshd", "UseDNS", "gives host names instead of addresses, so everybody is refused; set it to no")
    else:
        yield _ok("sshd", "UsePAM", "is on")
    if says.get("kbdinteractiveauthentication") != "yes":
        yield _warning("sshd", "KbdInteractiveAuthentication", "is off, so no login by ssh waits: people connect again")
    else:
        yield from _long_enough("sshd", "LoginGraceTime", int(says.get("logingracetime", "0")), pam.wait)
        yield _many_enough(int(says.get("maxstartups", "10").partition(":")[0]), pam.most_waits)


def _login(pam: PamSection) -> Iterator[Finding]:
    if (PAM_FOLDER / "login").is_file() and LOGIN_DEFS.is_file():
        found = re.search(r"^LOGIN_TIMEOUT\s+(\d+)", LOGIN_DEFS.read_text(errors="replace"), re.M)
        yield from _long_enough("login", "LOGIN_TIMEOUT", int(found[1]) if found else LOGIN_TIMEOUT, pam.wait)


def _sessions(config: GateConfig) -> list[HostSession]:
    """The open sessions that PAM let in, as far as they can be known."""
    with suppress(OSError, ValueError):
        return Sessions(config.socket.parent / SESSIONS_FILE).read()
    return []


def _audit(sessions: list[HostSession]) -> Iterator[Finding]:
    """Whether the kernel tells which login a process belongs to that a session left in the background."""
    logins = [one for one in sessions if one.service in LOGINS]
    if SESSION_ID.exists() and all(one.login != NO_LOGIN for one in logins):
        yield _ok("audit", str(SESSION_ID), "tells what belongs to a login")
    else:
        message = (
            "does not number logins here, as in a container, so what somebody detaches from their session (setsid, "
            "nohup, tmux) goes on after its end; have people log in where the kernel has audit"
        )
        yield _warning("audit", str(SESSION_ID), message)


def _long_enough(part: str, about: str, seconds: int, wait: timedelta) -> Iterator[Finding]:
    """Whether a login may take as long as it may wait; 0 seconds means no limit."""
    if seconds == 0 or seconds >= wait.total_seconds():
        yield _ok(part, about, "is long enough to wait")
    else:
        limit, longer = duration(timedelta(seconds=seconds)), int(wait.total_seconds())
        message = (
            f"ends a login after {limit}, and it may wait for {duration(wait)}; set it to {longer}, or `wait` to less"
        )
        yield _warning(part, about, message)


def _many_enough(most: int, waits: int) -> Finding:
    """Whether sshd lets as many people be about to log in as may wait."""
    if most >= waits:
        return _ok("sshd", "MaxStartups", "turns nobody away while logins wait")
    message = (
        f"begins to turn people away when {most} are about to log in, and {waits} logins may wait; set it to "
        f"{waits + 50}:30:{2 * waits + 100}, or `most_waits` to less"
    )
    return _warning("sshd", "MaxStartups", message)


def _finding(state: Literal["ok", "warning", "problem"], part: str, about: str, message: str) -> Finding:
    return Finding(part=part, state=state, about=about, message=message)


_ok, _warning, _problem = partial(_finding, "ok"), partial(_finding, "warning"), partial(_finding, "problem")
