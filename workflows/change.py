"""One change of a ballot, on its way to becoming a transition: what is written, and who is told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from countersign.ballot import Ballot
    from countersign.models import OWN_APPROVAL, Approver, Decision, Event, Status
    from countersign.transitions import ENGINE, AuditEvent, Kind, Opened, Recipient, Transition

# Who is on record for what was done in Temporal directly.
TEMPORAL = "temporal"
CANCELLED_IN_TEMPORAL = "Cancelled in Temporal, by whoever may write to its namespace."
SETTLED_AS: dict[Status, Kind] = {
    Status.APPROVED: "approved",
    Status.REJECTED: "rejected",
    Status.EXPIRED: "expired",
    Status.CANCELLED: "cancelled",
}


@dataclass(frozen=True)
class BallotChange:
    """What has just happened. `who` did it, by `channel`; a change that settles the request notifies everyone."""

    events: list[AuditEvent] = field(default_factory=list)
    asked: list[Approver] = field(default_factory=list)
    decision: Decision | None = None
    lapsed: list[str] = field(default_factory=list)
    recipients: list[Recipient] = field(default_factory=list)
    availability: dict[str, str] = field(default_factory=dict)
    who: str = ENGINE
    channel: str = ""
    proof: dict[str, str] = field(default_factory=dict)  # of the Cancel that brought it about

    def transition(
        self, ballot: Ballot, opened: Opened, asked_so_far: Iterable[str], at: datetime, relies_on: Sequence[str] = ()
    ) -> Transition:
        """The transition that writes this change of the ballot; `asked_so_far` counts those asked now, too."""
        events = self.events
        recipients = [*self.recipients, *(Recipient(event=Event.ASKED, person=one.person) for one in self.asked)]
        if ballot.settled:
            settled = AuditEvent(
                kind=SETTLED_AS[ballot.status],
                at=at,
                who=self.who,
                detail=ballot.message,
                channel=self.channel,
                proof=self.proof,
            )
            events = [*events, settled]
            recipients = [
                Recipient(event=Event.SETTLED, person=one) for one in dict.fromkeys([ballot.requester, *asked_so_far])
            ]
        return Transition(
            approval_id=ballot.approval_id,
            run=opened.run,
            key=f"{ballot.level}.{_what(self.decision, self.availability, events)}",
            at=at,
            status=ballot.status,
            message=ballot.message,
            level=ballot.level,
            asked=self.asked,
            availability=self.availability,
            decision=self.decision,
            relies_on=list(relies_on),
            lapsed=self.lapsed,
            events=events,
            recipients=recipients,
            opens_grant=ballot.status is Status.APPROVED and opened.route.grant_lasts > timedelta(0),
        )


def _what(decision: Decision | None, availability: Mapping[str, str], events: Sequence[AuditEvent]) -> str:
    """What the change is about, without its consequences, as those may differ when it is made again."""
    if decision is not None and decision.answer_id != OWN_APPROVAL:
        return f"answer.{decision.answer_id}"
    if availability:
        return ".".join(f"{person}.{why}" for person, why in availability.items())
    return "reminded" if events[0].kind == "reminder_due" else events[0].kind
