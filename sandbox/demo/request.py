"""One request of the story: every row of its record is printed as it appears, and checked."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from email.message import EmailMessage
from itertools import groupby

from countersign.models import GrantStatus, Question, Status, Verdict
from countersign.transitions import Cancel
from countersign.views import RequestView
from sandbox.clients import Client
from sandbox.demo.screen import Screen
from sandbox.demo.stage import Stage
from sandbox.demo.steps import StepFailed, must, step

# A killed worker is felt for some seconds, and this machine may be busy.
RECORD_SECONDS = 45
MAIL_SECONDS = 5
RESULT_SECONDS = 20
POLL_SECONDS = 0.1


@dataclass
class Request:
    """A request that was opened, and how far its record was read."""

    stage: Stage
    screen: Screen
    question: Question
    approval_id: int
    read: int = 0

    @property
    def number(self) -> str:
        """The number as people see it."""
        return f"#{self.approval_id}"

    def view(self) -> RequestView:
        """The request as it is in the database."""
        return self.stage.store.reading.request(self.approval_id)

    async def record(self, *expected: str) -> None:
        """Print what the record says until it has said all of these, each as `<kind> <who>`, and nothing else."""
        missing = Counter(expected)
        deadline = time.monotonic() + RECORD_SECONDS
        with self.screen.waiting() as waiting:
            while missing := self._print_new_rows(missing):
                if time.monotonic() > deadline:
                    raise StepFailed(f"the record of {self.number} never said {_listed(missing)}")
                waiting.tell(f"waiting for the record of {self.number} to say “{next(iter(missing))}”")
                await asyncio.sleep(POLL_SECONDS)

    def nothing_new(self) -> None:
        """Fail if the record holds a row that no scene expected."""
        self._print_new_rows(Counter())

    def _print_new_rows(self, missing: Counter[str]) -> Counter[str]:
        rows = [line for line in self.stage.store.events.of(self.approval_id) if line.version > self.read]
        for _, alike in groupby(rows, lambda line: (line.kind, line.channel, line.detail)):
            lines = list(alike)
            self.read = lines[-1].version
            self.screen.row(lines[0], [line.who for line in lines])
            recorded = Counter(f"{line.kind} {line.who}" for line in lines)
            must(
                recorded <= missing,
                f"the record of {self.number} says {_listed(recorded)}, and should say {_listed(missing)}",
            )
            missing = missing - recorded
        return missing

    async def mail(self, person: str, containing: str) -> EmailMessage:
        """The mail with this text that a person got about this request."""
        with step(f"{person.capitalize()} gets a mail about {self.number} that says “{containing}”"):
            wait = self.stage.person(person).wait_for_mail
            return await asyncio.to_thread(wait, self.approval_id, containing, MAIL_SECONDS)

    async def reply(
        self,
        person: str,
        text: str,
        client: Client = Client.PLAIN,
        *,
        copy_of: str = "",
        forged_by: str = "",
        in_full: bool = False,
    ) -> None:
        """Answer the mail that asked this person, or somebody else's copy of it; print what was sent."""
        original = await self.mail(copy_of or person, "to connect ")
        with step(f"{(forged_by or person).capitalize()} sends a reply about {self.number}"):
            write = self.stage.person(person).reply
            sent = await asyncio.to_thread(write, original, text, client, forged_by=forged_by)
        if in_full:
            self.screen.whole_reply(sent, text, client)
        else:
            self.screen.reply(sent, text, client, forged_by)

    async def cancel(self) -> None:
        """Have the requester cancel it."""
        who = self.question.requester
        with step(f"{who.capitalize()} cancels {self.number}"):
            cancellation = Cancel(approval_id=self.approval_id, who=who, channel="client")
            await self.stage.client.cancel(self.question.workflow_id, cancellation)

    async def ends(self, status: Status, *decided_by: str) -> RequestView:
        """Check how it ended: the workflow's result, the database, whose decisions counted, and the grant."""
        with step(f"{self.number} ends, and its workflow returns the decision"):
            async with asyncio.timeout(RESULT_SECONDS):
                outcome = await self.stage.client.wait(self.question)
        view = self.view()
        must(outcome.status is status, f"the workflow of {self.number} returned {outcome.status}, not {status}")
        must(view.status is status, f"{self.number} is {view.status} in the database, not {status}")
        verdict = Verdict.REJECT if status is Status.REJECTED else Verdict.APPROVE
        counted = [one.person for one in view.decisions if one.verdict is verdict]
        must(counted == list(decided_by), f"who decided {self.number}: {_names(counted)}, not {_names(decided_by)}")
        lasts = view.grant is not None and view.grant.status is GrantStatus.ACTIVE
        must(lasts is (status is Status.APPROVED), f"{self.number} is {status}, and its grant is {view.grant}")
        return view


def _listed(missing: Counter[str]) -> str:
    return " and ".join(f"“{each}”" for each in missing.elements()) or "nothing more"


def _names(people: object) -> str:
    return ", ".join(people) if isinstance(people, list | tuple) and people else "nobody"
