"""reply explain: how a mail is read, and what it would decide."""

from email.parser import BytesHeaderParser
from email.policy import compat32
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from countersign.cli import files
from countersign.cli.exits import Code
from countersign.cli.options import AsJson, with_portal
from countersign.cli.output import show_result
from countersign.cli.tables import grid, indented, mark
from countersign.errors import BadQuestion
from countersign.http import Api
from countersign.http_answers import CheckedReply, Explanation

MailFile = Annotated[Path, typer.Argument(metavar="FILE", help="A mail as it arrived (.eml); - reads standard input.")]

# How many bytes of the mail are searched for header fields.
LONGEST_HEAD = 256 * 1024

commands = typer.Typer(no_args_is_help=True, help="Find out how replies by mail are read.")


@commands.callback()
def group() -> None:
    """Find out how replies by mail are read."""


@commands.command()
@with_portal
def explain(api: Api, file: MailFile, as_json: AsJson = False) -> None:
    """Show what a reply by mail decides, or why it decides nothing, check by check. Changes nothing."""
    mail = files.content(file)
    if not is_mail(mail):
        raise BadQuestion(
            f"{file} is not a mail: a mail begins with fields such as From, To and Subject. Save it as it came, with "
            "all its headers (.eml); an Outlook .msg file is not one."
        )
    found = api.explain(mail)
    # These two hold the mail's token, and people show others what is printed here.
    reply = {name: value for name, value in found.reply.items() if name not in {"token", "answers"}}
    show_result({"reply": reply, "judged": found.judged}, _page(found), as_json)
    if not found.judged.decides:
        raise typer.Exit(Code.NO)


def is_mail(raw: bytes) -> bool:
    """Whether bytes begin like a mail: with at least one of a mail's usual fields (RFC 5322, section 3.6)."""
    head = BytesHeaderParser(policy=compat32).parsebytes(raw[:LONGEST_HEAD])
    return any(head.get(name) is not None for name in ("From", "Date", "To", "Subject", "Received", "Message-ID"))


def _page(found: Explanation) -> RenderableType:
    checked = found.judged
    checks = grid(3)
    for check in checked.checks:
        saw = Text(check.saw, "bright_black")
        if not check.passed and check.reason != checked.message:
            saw.append(f"\n{check.reason}", "default")
        checks.add_row(mark(check.passed), check.name, saw)
    return Group(_verdict(checked), Text(), indented(checks))


def _verdict(checked: CheckedReply) -> Text:
    if not checked.decides:
        return Text.assemble(("Decides nothing: ", "bold red"), checked.message)
    if checked.verdict == "none":
        return Text.assemble(("No answer: ", "bold green"), checked.message)
    about = f" #{checked.approval_id} at level {checked.level}, as {checked.person}."
    return Text.assemble(("Decides: ", "bold green"), f"{checked.verdict}s", about)
