"""What the demo prints: one calm timeline, at 80 columns as in a wide terminal, with colours or without."""

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC
from email.message import EmailMessage
from typing import Literal, NamedTuple, Self

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.status import Status as Spinner
from rich.table import Table
from rich.text import Text

from countersign.kinds.connection import ConnectionQuestion
from countersign.views import AuditEventView
from notifiers.email.token import masked
from sandbox.clients import Client

WIDEST = 100
MARGIN = 2
LABEL_WIDTH = 8
KIND_WIDTH = 14
# How much of a quoted question is shown below a reply.
QUOTED_LINES = 6
# Progress is shown only of what takes longer than this; without a terminal, it is shown again this often.
QUICK_SECONDS = 1.5
SAY_AGAIN_SECONDS = 15.0
HEADERS = ("From", "To", "Reply-To", "Subject")
FACTS = "\nWho:"

LABELS = {
    "asks": "cyan",
    "record": "bright_black",
    "mail": "blue",
    "reply": "magenta",
    "slack": "yellow",
    "page": "green",
    "outcome": "bold",
}
KINDS = {
    "approved": "green",
    "granted": "green",
    "rejected": "red",
    "grant_revoked": "red",
    "answer_refused": "red",
    "expired": "yellow",
    "cancelled": "yellow",
}
OUTCOMES = {
    "Approved": "green",
    "Rejected": "red",
    "Revoked": "red",
    "Blocked": "red",
    "Expired": "yellow",
    "Cancelled": "yellow",
}
MANNERS = {
    Client.PLAIN: "a plain-text mail client",
    Client.BOTTOM: "Thunderbird, below the quoted question",
    Client.GMAIL: "Gmail",
    Client.OUTLOOK: "Outlook",
    Client.APPLE: "Apple Mail",
}


class SceneResult(NamedTuple):
    """A line of the closing table."""

    scene: str
    request: str
    outcome: str
    showed: str


class Waiting:
    """Progress of what takes a while: a spinner in a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spinner = Spinner("", console=console, spinner_style="cyan")
        self._quiet_until = time.monotonic() + QUICK_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spinner.stop()

    def tell(self, text: str) -> None:
        """Say what is waited for; call it as often as you like."""
        if time.monotonic() < self._quiet_until:
            return
        if self._console.is_terminal:
            self._spinner.update(Text(text, style="bright_black"))
            self._spinner.start()
        else:
            self._console.print(Padding(Text(f"... {text}"), (0, 0, 0, MARGIN), expand=False))
            self._quiet_until = time.monotonic() + SAY_AGAIN_SECONDS


class Screen:
    """Prints the story; nothing that people wrote is read as markup."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(markup=False, emoji=False, highlight=False)
        self.console.width = min(self.console.width, WIDEST)
        self.is_terminal = self.console.is_terminal

    def opening(self, text: str) -> None:
        """The first lines."""
        self.console.print()
        self.console.print(Text("Countersign, the whole story", style="bold"))
        self.console.print(Text(text, style="bright_black"))
        self.console.print()

    def say(self, text: str) -> None:
        """A remark on what is being started."""
        self.console.print(Padding(Text(text, style="bright_black"), (0, 0, 0, MARGIN), expand=False))

    def waiting(self) -> Waiting:
        """Progress for as long as the block lasts."""
        return Waiting(self.console)

    def scene(self, heading: str, text: str) -> None:
        """A scene begins."""
        self.console.print()
        self.console.print(Rule(Text(heading, style="bold"), align="left", style="bright_black"))
        self.console.print(Padding(Text(text), (0, 0, 0, MARGIN), expand=False))
        self.console.print()

    def aside(self, text: str) -> None:
        """A remark of the narrator within a scene."""
        self.console.print(Padding(Text(text, style="italic"), (0, 0, 0, MARGIN), expand=False))

    def asks(self, question: ConnectionQuestion) -> None:
        """Somebody wants to connect."""
        text = Text.assemble(
            (question.requester.capitalize(), "bold"),
            f" wants to connect to {question.device} by {question.protocol}: “{question.reason}”",
        )
        self._line("asks", text)

    def row(self, line: AuditEventView, people: Sequence[str] = ()) -> None:
        """A row of the audit record; or several that differ only in whom they name, as one line."""
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True, style="bright_black")
        table.add_column(no_wrap=True, width=KIND_WIDTH, style=KINDS.get(line.kind, ""))
        table.add_column(overflow="fold")
        names = ", ".join(people) or line.who
        who = f"{names} by {line.channel}" if line.channel else names
        text = f"{who}: {line.detail}" if line.detail else who
        table.add_row(f"{line.at.astimezone(UTC):%H:%M:%S}", line.kind.replace("_", " "), Text(text))
        self._line("record", table)

    def letter(self, mail: EmailMessage) -> None:
        """A mail as it was sent, in full."""
        self._panel(f"mail to {_name(mail)}", _headers(mail) + Text(f"\n{_text(mail)}"), LABELS["mail"])

    def excerpt(self, mail: EmailMessage) -> None:
        """A mail without the facts at its end."""
        self._panel(f"mail to {_name(mail)}", Text(_text(mail).partition(FACTS)[0].strip()), LABELS["mail"])

    def brief(self, mail: EmailMessage) -> None:
        """A mail's first line."""
        self._line("mail", Text.assemble("to ", (_name(mail), "bold"), f": {_text(mail).splitlines()[0]}"))

    def reply(self, sent: EmailMessage, text: str, client: Client, forged_by: str = "") -> None:
        """What somebody wrote, in brief."""
        one_line = " / ".join(text.splitlines())
        sender = _name(sent, "From")
        name = f"{forged_by.capitalize()} as {sender}" if forged_by else sender
        self._line("reply", Text.assemble((name, "bold"), f", from {MANNERS[client]}: “{one_line}”"))

    def whole_reply(self, sent: EmailMessage, text: str, client: Client) -> None:
        """What somebody wrote, as it was sent, with the beginning of what their mail client added below."""
        own = len(text.splitlines())
        lines = _text(sent).splitlines()
        whole = _headers(sent) + Text("\n" + "\n".join(lines[:own]) + "\n", style="bold")
        whole.append("\n".join(lines[own : own + QUOTED_LINES]), style="bright_black")
        markup = sent.get_body(("html",))
        more = f"\n... {len(lines) - own - QUOTED_LINES} more lines of the question"
        more += f", and all of it once more as HTML ({len(markup.get_content()):,} characters)" if markup else ""
        whole.append(more, style="italic bright_black")
        self._panel(f"reply by {_name(sent, 'From')}, from {MANNERS[client]}", whole, LABELS["reply"])

    def does(self, place: Literal["slack", "page"], name: str, text: str) -> None:
        """What somebody does in Slack or on a page, or is told there."""
        self._line(place, Text.assemble((name, "bold"), f" {text}"))

    def in_slack(self, title: str, shown: RenderableType) -> None:
        """Something as it is shown in Slack."""
        self._panel(f"Slack: {title}", shown, LABELS["slack"])

    def outcome(self, status: str, text: str) -> None:
        """The status of a request at the end of a scene."""
        self._line("outcome", Text(text, style=f"bold {OUTCOMES.get(status, '')}"))

    def closing(self, results: Sequence[SceneResult], text: str) -> None:
        """The table of all scenes."""
        self.console.print()
        self.console.print(Rule(Text("What happened", style="bold"), align="left", style="bright_black"))
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bright_black")
        for name in ("scene", "request", "outcome"):
            table.add_column(name, no_wrap=True)
        table.add_column("what it showed", overflow="fold")
        for row in results:
            table.add_row(row.scene, row.request, Text(row.outcome, style=OUTCOMES.get(row.outcome, "")), row.showed)
        self.console.print(Padding(table, (0, 0, 0, MARGIN), expand=False))
        self.console.print()
        self.console.print(Padding(Text(text), (0, 0, 0, MARGIN), expand=False))

    def failure(self, scene: str, problem: str, logs: Mapping[str, str]) -> None:
        """The story failed; `logs` are the ends of our programs' logs."""
        text = Text.assemble((f"{scene}\n", "bold"), problem)
        self.console.print()
        self.console.print(Panel(text, title="THE DEMO FAILED", title_align="left", border_style="bold red"))
        for name, log in logs.items():
            self.console.print(Text(f"The end of the {name}'s log:", style="bold"))
            self.console.print(Text(log.rstrip()), soft_wrap=True)

    def _line(self, label: str, text: RenderableType) -> None:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=LABEL_WIDTH, no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row(Text(label, style=LABELS[label]), text)
        self.console.print(Padding(table, (0, 0, 0, MARGIN), expand=False))

    def _panel(self, title: str, text: RenderableType, style: str) -> None:
        self.console.print(Panel(text, title=title, title_align="left", border_style=style, padding=(0, 1)))


def plain_where_needed() -> None:
    """Let an output that knows only ASCII show question marks rather than fail the story."""
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]


def _headers(mail: EmailMessage) -> Text:
    text = Text()
    for name in HEADERS:
        if mail[name]:
            text.append(f"{name}: ", style="bright_black").append(f"{masked(str(mail[name]))}\n")
    return text


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    return masked(str(body.get_content()).replace("\r\n", "\n")).strip() if body else ""


def _name(mail: EmailMessage, field: str = "To") -> str:
    first = mail[field].addresses[0]
    return str(first.display_name or first.username)
