"""`python -m sandbox`: a mail server to try things with, and its people, one of whom is you."""

import asyncio
import re
import signal
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated

import typer
from imapclient import IMAPClient
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from countersign.console import show
from countersign.times import moment
from countersign.version import HELP_OPTIONS, VersionOption
from sandbox.clients import Client
from sandbox.mail_server import DOMAIN, ENGINE, HOST, PASSWORD, MailServer
from sandbox.people import NoSuchMail, Person, headline, wants_answer

SMTP_PORT = 8025
IMAP_PORT = 8143

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    context_settings=HELP_OPTIONS,
    help="A mail server to try things with, and its people.",
)
console = Console(highlight=False)

SmtpPort = Annotated[
    int, typer.Option(envvar="COUNTERSIGN_SANDBOX_SMTP_PORT", help="The port where the mail server accepts mail.")
]
ImapPort = Annotated[
    int, typer.Option(envvar="COUNTERSIGN_SANDBOX_IMAP_PORT", help="The port where mailboxes are read.")
]
Domain = Annotated[str, typer.Option(envvar="COUNTERSIGN_SANDBOX_DOMAIN", help="The domain of its people's addresses.")]
ApprovalId = Annotated[int, typer.Argument(help="The request's number, without #.")]
As = Annotated[str, typer.Option("--as", help="Who writes: the local part of their address.")]
MailOf = Annotated[str, typer.Option(help="Answer the copy in this person's inbox instead of the writer's own.")]


@app.callback()
def options(
    version: VersionOption = False,
) -> None:
    """A mail server to try things with, and its people."""


@app.command()
def serve(
    smtp_port: SmtpPort = SMTP_PORT,
    imap_port: ImapPort = IMAP_PORT,
    domain: Domain = DOMAIN,
    keep: Annotated[Path | None, typer.Option(help="Keep the mail in this folder for the next start.")] = None,
    refuse: Annotated[list[str] | None, typer.Option(help="Refuse this recipient for good (550).")] = None,
    defer: Annotated[list[str] | None, typer.Option(help="Refuse this recipient for now (451).")] = None,
    delay: Annotated[float, typer.Option(min=0, help="Seconds to wait before each answer.")] = 0.0,
) -> None:
    """Run the mail server until Ctrl-C."""
    server = MailServer(domain, smtp_port=smtp_port, imap_port=imap_port, keep=keep)
    server.faults.refused.update(refuse or [])
    server.faults.deferred.update(defer or [])
    server.faults.delay = delay
    try:
        asyncio.run(_serve(server))
    except OSError as problem:
        text = f"Cannot listen on {HOST}: {problem.strerror}. Choose other ports with --smtp-port and --imap-port."
        raise _end(text) from problem


@app.command()
def inbox(
    name: Annotated[str, typer.Argument(help="Whose inbox: the local part of their address.")],
    approval_id: Annotated[int | None, typer.Argument(help="Show the mail about this request in full.")] = None,
    smtp_port: SmtpPort = SMTP_PORT,
    imap_port: ImapPort = IMAP_PORT,
    domain: Domain = DOMAIN,
) -> None:
    """List somebody's mail, or show the one about a request."""
    person = Person(name, smtp_port, imap_port, domain=domain)
    with _failures_as_messages(person):
        if approval_id is None:
            show(_listing(person, person.inbox()))
        else:
            _show(person.mail_about(approval_id))


@app.command()
def reply(
    approval_id: ApprovalId,
    text: Annotated[str, typer.Argument(help='What to write, such as "Approved".')],
    as_: As,
    client: Annotated[Client, typer.Option(help="Write and quote as this mail client does.")] = Client.PLAIN,
    forged_by: Annotated[str, typer.Option(help="Somebody else who sends it in the writer's name.")] = "",
    mail_of: MailOf = "",
    smtp_port: SmtpPort = SMTP_PORT,
    imap_port: ImapPort = IMAP_PORT,
    domain: Domain = DOMAIN,
) -> None:
    """Answer the mail about a request, as its reader would in their mail client."""
    person = Person(as_, smtp_port, imap_port, domain=domain)
    reader = Person(mail_of or as_, smtp_port, imap_port, domain=domain)
    with _failures_as_messages(person):
        sent = person.reply(reader.mail_about(approval_id), text, client, forged_by=forged_by)
        _tell(sent, forged_by)


@app.command()
def forward(
    approval_id: ApprovalId,
    as_: As,
    to: Annotated[str, typer.Option(help="Who receives it.")],
    text: Annotated[str, typer.Option(help="A note on top.")] = "",
    smtp_port: SmtpPort = SMTP_PORT,
    imap_port: ImapPort = IMAP_PORT,
    domain: Domain = DOMAIN,
) -> None:
    """Pass the mail about a request on to somebody else."""
    person = Person(as_, smtp_port, imap_port, domain=domain)
    with _failures_as_messages(person):
        _tell(person.forward(person.mail_about(approval_id), to, text))


@app.command()
def away(
    approval_id: ApprovalId,
    as_: As,
    text: Annotated[str, typer.Option(help="What the autoresponder says.")] = "I am out of the office.",
    smtp_port: SmtpPort = SMTP_PORT,
    imap_port: ImapPort = IMAP_PORT,
    domain: Domain = DOMAIN,
) -> None:
    """Answer the mail about a request with an out-of-office note."""
    person = Person(as_, smtp_port, imap_port, domain=domain)
    with _failures_as_messages(person):
        _tell(person.be_away(person.mail_about(approval_id), text))


async def _serve(server: MailServer) -> None:
    async with server:
        stop = asyncio.Event()
        for each in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(each, stop.set)
        console.print(
            f"Sandbox mail for @{server.domain}: SMTP {server.host}:{server.smtp_port}, IMAP {server.host}:"
            f"{server.imap_port}; anybody may log in, password {PASSWORD!r}; the engine's account is {ENGINE!r}.",
            soft_wrap=True,
        )
        await stop.wait()


def _listing(person: Person, mails: list[EmailMessage]) -> Table:
    count = "1 mail" if len(mails) == 1 else f"{len(mails)} mails"
    table = Table(title=f"{person.address.addr_spec}: {count}", title_justify="left")
    for column in ("when", "request", "from"):
        table.add_column(column, no_wrap=True)
    # All mails about a request have the same subject, whose number is in the column before; only their texts differ.
    table.add_column("what it says", overflow="fold")
    table.add_column("", no_wrap=True)
    for mail in mails:
        when = moment(mail["Date"].datetime) if mail["Date"] else ""
        request = re.search(r"#\d+$", str(mail["Subject"] or ""))
        cells = (when, request[0] if request else "", _who(mail), headline(mail) or str(mail["Subject"] or ""))
        table.add_row(*cells, "asks you" if wants_answer(mail) else "")
    return table


def _who(mail: EmailMessage) -> str:
    senders = mail["From"].addresses if mail["From"] else ()
    return str(senders[0].display_name or senders[0].addr_spec) if senders else ""


def _show(mail: EmailMessage) -> None:
    for name in ("From", "To", "Reply-To", "Date", "Subject"):
        if mail[name]:
            console.print(f"[bold]{name}:[/bold] {escape(_masked(str(mail[name])))}", soft_wrap=True)
    body = mail.get_body(("plain", "html"))
    console.print("\n" + escape(body.get_content() if body else "(no text)"), soft_wrap=True)


def _tell(sent: EmailMessage, forged_by: str = "") -> None:
    by = f", sent by {forged_by} in their name" if forged_by else ""
    text = f"Sent from {sent['From']} to {_masked(str(sent['To']))}{by}: {sent['Subject']}"
    console.print(text, markup=False, soft_wrap=True)


def _masked(address: str) -> str:
    """Hide the token in a plus-address: whoever can read it could answer in the approver's place."""
    return re.sub(r"\+[^@\s]+@", "+…@", address)


@contextmanager
def _failures_as_messages(person: Person) -> Iterator[None]:
    try:
        yield
    except NoSuchMail as problem:
        raise _end(str(problem)) from problem
    except smtplib.SMTPRecipientsRefused as problem:
        refusals = "; ".join(f"{to}: {code} {text.decode()}" for to, (code, text) in problem.recipients.items())
        raise _end(f"The mail server refused it: {refusals}") from problem
    except (OSError, smtplib.SMTPException, IMAPClient.Error) as problem:
        where = f"{person.host}, ports {person.smtp_port} and {person.imap_port}"
        raise _end(
            f"The mail server at {where} does not answer ({problem}). Start it: python -m sandbox serve"
        ) from problem


def _end(text: str) -> typer.Exit:
    Console(stderr=True, highlight=False).print(text, style="red", markup=False, soft_wrap=True)
    return typer.Exit(1)


if __name__ == "__main__":
    app()
