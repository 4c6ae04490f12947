"""`make up`: everything of the Procfile that the settings don't name elsewhere, until Ctrl-C; state is kept in var/."""

import fcntl
import os
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import IO

from honcho.environ import parse_procfile
from honcho.manager import Manager
from honcho.printer import Printer

from configuration import load
from countersign.errors import CountersignError, message_of
from engine.credentials.sign_in import SignIn
from notifiers.email.read_settings import key_ring
from notifiers.email.sign_in_links import MailedLinks
from notifiers.slack.channel import slack_config
from portal.pages.site import Site
from sandbox.arguments import parser
from sandbox.first_run import WHO, Installation, prepare
from sandbox.mail_settings import kept_mail_keys, mail_settings
from sandbox.welcome import Place, Screen, is_healthy, listens, next_steps
from settings import Settings
from store import Store
from store.file_permissions import close_folder

ROOT = Path(__file__).parent.parent
STATE = ROOT / "var"
POLICY = ROOT / "examples" / "policy.yaml"
HOST = "127.0.0.1"
PEOPLE = ("alice", "grace", "ada")
EVERYWHERE = {"0.0.0.0", "::"}
UI_PORT = 8233
SMTP_PORT = 8025
IMAP_PORT = 8143
# What honcho returns after Ctrl-C and SIGTERM: we were asked to end, and did.
ASKED_TO_END = {128 + signal.SIGINT, 128 + signal.SIGTERM}


def processes(settings: Settings, procfile: str) -> dict[str, str]:
    """What to run, by name; not a Temporal or mail server if the settings name another."""
    elsewhere = set()
    if "temporal_address" in settings.model_fields_set:
        elsewhere.add("temporal")
    if settings.smtp_host or settings.imap_host:
        elsewhere.add("mail")
    return {name: line for name, line in parse_procfile(procfile).processes.items() if name not in elsewhere}


def environment(settings: Settings, state: Path) -> dict[str, str]:
    """The processes' environment: this Python, where state is kept, the sandbox's mail server if there is no other."""
    variables = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
        "COUNTERSIGN_STATE": os.path.relpath(state, ROOT),
        "COUNTERSIGN_PUBLIC_URL": settings.public_url or portal_url(settings),
    }
    if not (settings.smtp_host or settings.imap_host):
        smtp_port = int(variables.setdefault("COUNTERSIGN_SANDBOX_SMTP_PORT", str(SMTP_PORT)))
        imap_port = int(variables.setdefault("COUNTERSIGN_SANDBOX_IMAP_PORT", str(IMAP_PORT)))
        variables |= mail_settings(smtp_port, imap_port, kept_mail_keys(state / "mail_keys"))
    return variables


def places(settings: Settings, variables: dict[str, str], running: Collection[str]) -> list[Place]:
    """What runs, where, and how to check that it answers; what the settings name elsewhere is not checked."""
    url = portal_url(settings)
    found = [Place("Portal", f"{url}, with its API under /api/v1", lambda: is_healthy(url))]
    if "temporal" in running:
        found.append(Place("Temporal", f"its web UI is at http://{HOST}:{UI_PORT}", lambda: listens(HOST, UI_PORT)))
    else:
        found.append(Place("Temporal", f"your server at {settings.temporal_address}"))
    if "mail" in running:
        smtp, imap = (int(variables[f"COUNTERSIGN_SANDBOX_{kind}_PORT"]) for kind in ("SMTP", "IMAP"))
        where = f"the sandbox's, for play: SMTP {HOST}:{smtp}, IMAP {HOST}:{imap}"
        found.append(Place("Mail", where, lambda: listens(HOST, smtp) and listens(HOST, imap)))
    else:
        out, back = settings.smtp_host or "no server", settings.imap_host or "no mailbox"
        found.append(Place("Mail", f"yours: sent by {out}, replies read from {back}"))
    if "database_url" in settings.model_fields_set:
        found.append(Place("Database", "yours, as COUNTERSIGN_DATABASE_URL says"))
    return found


def slack_place(settings: Settings, installation: Installation) -> list[Place]:
    """The same for Slack, if it is on: how the portal is connected to it, and whether anybody is asked there."""
    slack = slack_config(settings)
    if slack is None:
        return []
    ways = {
        "socket": "over a socket",
        "http": f"by its calls to {slack.public_url or portal_url(settings)}/slack/events",
    }
    advice = "`countersign doctor` says who is found there"
    if not installation.asks_in_slack:
        advice = "but the policy asks nobody there: see docs/slack.md, step 4"
    return [Place("Slack", f"on, {ways[slack.mode]}; {advice}")]


def portal_url(settings: Settings) -> str:
    """Where the portal answers on this machine."""
    host = HOST if settings.portal_host in EVERYWHERE else settings.portal_host
    return f"http://{host}:{settings.portal_port}"


def run(commands: dict[str, str], variables: dict[str, str], folder: Path, printer: Printer | None = None) -> int:
    """Run all until Ctrl-C, or until one of them ends, which ends the others; returns the exit code."""
    manager = Manager(printer)
    for name, command in commands.items():
        manager.add_process(name, command, env=variables, cwd=str(folder))
    # honcho starts each process in a session of its own: a closed terminal would leave them running.
    signal.signal(signal.SIGHUP, lambda *_: end())
    manager.loop()
    return 0 if manager.returncode in ASKED_TO_END else manager.returncode or 1


def end() -> None:
    """End everything, as Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGTERM)


def start(settings: Settings, state: Path, is_ours: bool) -> int:
    """Add to an installation of ours what a first user needs, run all, say what to type; returns the exit code.

    Raises CountersignError if the database can't be reached, or Slack's settings are wrong.
    """
    close_folder(state)
    with alone(state):
        has_slack = slack_config(settings) is not None
        installation = prepare(settings.database_url, POLICY.read_text(), state / "token", is_ours, has_slack)
        variables = environment(settings, state)
        commands = processes(settings, (ROOT / "Procfile").read_text())
        found = places(settings, variables, commands) + slack_place(settings, installation)
        must_be_free(found)
        plays = "mail" in commands
        links = sign_in_links(settings, variables, PEOPLE) if plays and installation.is_example else {}
        text = welcome(settings, found, installation, plays, links)
        return run(commands, variables, ROOT, Screen(found, text, end))


def alone(state: Path) -> IO[str]:
    """Hold the folder for this process until the file is closed; CountersignError if another `make up` has it."""
    lock = (state / "up.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise CountersignError("another `make up` runs here already; use that one, or end it with Ctrl-C.") from None
    return lock


def must_be_free(found: Sequence[Place]) -> None:
    """Raise CountersignError if something answers already at a place that we are about to take."""
    for place in found:
        if place.is_ours and place.answers():
            raise CountersignError(
                f"{place.name} answers already ({place.where}); end the other `make up`, perhaps of another checkout."
            )


def sign_in_links(settings: Settings, variables: Mapping[str, str], people: Sequence[str]) -> dict[str, str]:
    """Links by which these people can sign in; the processes with these variables accept them."""
    links = {"email": MailedLinks(key_ring(variables["COUNTERSIGN_MAIL_KEYS"]))}
    site = Site(public_url=variables["COUNTERSIGN_PUBLIC_URL"], links=links)
    store = Store(settings.database_url)
    try:
        return {person: site.link(SignIn(store).make_link(person, WHO)) for person in people}
    finally:
        store.close()


def welcome(
    settings: Settings,
    found: Sequence[Place],
    installation: Installation,
    plays: bool,
    links: Mapping[str, str] | None = None,
) -> list[str]:
    """What runs where and what to type next, in ten lines or so; `links` are for signing in."""
    where = [f"  {place.name:10}{place.where}" for place in found]
    if links:
        where += [
            "Open the portal as one of these, within 15 minutes:",
            *(f"  {n:10}{link}" for n, link in links.items()),
        ]
    typed = [f"  {line}" for line in next_steps(installation, portal_url(settings), plays)]
    return [f"{settings.instance_name} is up; Ctrl-C ends it.", *where, "Next, in another terminal, here:", *typed]


def main() -> None:
    """The command line: `python -m sandbox.up`."""
    parser("sandbox.up", __doc__).parse_args()
    os.chdir(ROOT)
    try:
        settings = load()
        sys.exit(start(settings, STATE, is_ours="database_url" not in settings.model_fields_set))
    except CountersignError as error:
        sys.exit(f"make up: {message_of(error)}")


if __name__ == "__main__":
    main()
