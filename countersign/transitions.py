"""What passes between a workflow and its activities: the opening, then a transition for each change of the request."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from countersign.kinds import AnyQuestion
from countersign.models import (
    Answer,
    Approver,
    Decision,
    Event,
    GeneralEvent,
    GrantStatus,
    Id,
    LevelPeople,
    Model,
    Outcome,
    Route,
    SentAsWords,
    Status,
    sentence,
)
from countersign.times import MINUTE

# Who is on record for what the engine does by itself.
ENGINE = "countersign"

Kind = Literal[
    "opened",
    "asked_again",
    "refused",
    "level_started",
    "fallback",
    "left_out",
    "approval_lapsed",
    "noticed",
    "unreachable",
    "away",
    "answered",
    "answer_refused",
    "inquired",
    "commented",
    "reminder_due",
    "reminded",  # what `reminder_due` was called before
    "approved",
    "rejected",
    "expired",
    "cancelled",
    "granted",
    "grant_ended",
    "grant_revoked",
    "policy_applied",
    "audit_exported",
    "token_created",
    "token_ended",
    "signed_in",
    "signed_out",
    "sign_in_refused",
    "application_opened",
    "application_refused",
    "passkey_added",
    "passkey_removed",
    "passkey_refused",
    "confirmed",
    "login_asked",
    "login_allowed",
    "login_denied",
    "login_refused",
    "device_registered",
    "device_refused",
    "device_changed",
    "device_pending",
    "device_enrolled",
    "device_approved",
    "device_blocked",
    "device_unblocked",
    "device_archived",
    "device_restored",
    "device_revoked",
    "device_unrevoked",
    "device_left",
    "enrolment_refused",
    "certificate_authority_added",
    "certificate_authority_removed",
    "revocation_list_added",
    "certificate_revoked",
    "certificate_refused",
    "service_token_created",
    "service_token_refreshed",
    "service_token_rotated",
    "service_token_secret_ended",
    "service_token_disabled",
    "service_token_enabled",
    "service_token_revoked",
    "service_token_refused",
    "provisioning_key_created",
    "provisioning_key_used",
    "provisioning_key_ended",
    "provisioning_key_refused",
    "rdp_file_made",
    "rdp_token_redeemed",
    "rdp_token_refused",
]


# Notifications that answer somebody's mail or click belong to no transition of the request.
ANSWERING_TRANSITION = 0
# The end of a grant is numbered after all transitions of its request.
GRANT_TRANSITION = 1_000_000
# Whether somebody who is asked can answer, from best to worst; it gets no better while the request waits.
AVAILABILITIES = ("", "away", "unreachable", "disabled")


# The detail of the audit event for a question that joined a waiting request.
WHILE_OPEN = "while it was open"


class AuditEvent(Model):
    """One row of the audit record before it is written.

    `who` is a person's or gateway's id, or the name of a program.
    """

    kind: Kind | GeneralEvent
    at: datetime
    who: str
    detail: SentAsWords = ""
    channel: str = ""
    proof: dict[str, str] = {}


class OfRequest(Model):
    """Names one request: its number, and the first run of its workflow, as a number may be used again.

    `run` is empty for a request of a version that did not keep it; then only the number is compared.
    """

    approval_id: int
    run: str = ""


class Opening(Model):
    """A question that has become a workflow run.

    `run_id` is the workflow's first run, which a reset in Temporal keeps. `started_at` is when it was started, by
    Temporal's clock; None for a workflow of an earlier version.
    """

    question: AnyQuestion
    workflow_id: str
    run_id: str
    asked_by: str = ""
    started_at: datetime | None = None


class Opened(Model):
    """A request that got its number; `people` are those of the first level, if there is one.

    `nobody_at` is the first level that too few people could pass, 0 where there is none. `in_turn`: each change is on
    record before the next begins; requests of earlier versions keep the order of their histories. `run` is the run on
    record, which everything that is written later names.
    """

    approval_id: int
    run: str = ""
    route: Route
    opened_at: datetime
    deadline: datetime
    people: LevelPeople | None = None
    nobody_at: int = 0
    in_turn: bool = False
    # How long a minute of the route lasts. Only histories of earlier versions hold it; only tests have other lengths.
    minute: timedelta = Field(default=MINUTE, exclude=True)

    @property
    def remind_after(self) -> timedelta | None:
        """How long after its start a level's people are reminded."""
        return self.route.remind_after and self.route.remind_after * (self.minute / MINUTE)


class OpenReply(Model):
    """Either a request was opened, or a grant that still lasts answers the question by itself."""

    opened: Opened | None = None
    outcome: Outcome | None = None


class LevelStart(OfRequest):
    """Asks for the people of this level."""

    level: int


class Recipient(Model):
    """Somebody to notify of an event, on every channel that is on for them."""

    event: Event
    person: Id
    message: SentAsWords = ""


class Transition(OfRequest):
    """One change of a request, written in one transaction, and only once.

    `key` identifies it within its request. A workflow that lost changes in a crash makes them again, perhaps in another
    order: the same change has the same key. `relies_on`: people who must be enabled when it is written, otherwise it is
    not written at all. `lapsed`: answers that no longer count.
    """

    key: str
    at: datetime
    status: Status
    message: SentAsWords
    level: int
    asked: Annotated[list[Approver], Field(alias="seated")] = []
    # Of people who were asked: disabled, unreachable or away.
    availability: Annotated[dict[str, str], Field(alias="standing")] = {}
    decision: Decision | None = None
    relies_on: list[Id] = []
    lapsed: list[str] = []
    events: Annotated[list[AuditEvent], Field(alias="lines")] = []
    recipients: Annotated[list[Recipient], Field(alias="tell")] = []
    opens_grant: bool = False


WORKFLOW_LOST = "Its workflow was ended in Temporal, or lost there. Ask again."


def workflow_lost(approval_id: int, run: str, level: int, requester: str) -> Transition:
    """The transition that settles a request whose workflow was ended in Temporal, or lost: nothing else would."""
    event = AuditEvent(kind="cancelled", at=datetime.now(UTC), who=ENGINE, detail=WORKFLOW_LOST)
    return _cancelled(approval_id, run, level, requester, "gone", event)


def withdrawn(cancellation: "Cancel", run: str, level: int, requester: str) -> Transition:
    """The transition that cancels a request when its workflow can't do it."""
    event = AuditEvent(
        kind="cancelled",
        at=datetime.now(UTC),
        who=cancellation.who,
        detail=cancellation.message("Cancelled"),
        channel=cancellation.channel,
        proof=cancellation.on_record,
    )
    return _cancelled(cancellation.approval_id, run, level, requester, "cancelled", event)


def _cancelled(
    approval_id: int, run: str, level: int, requester: str, what: str, audit_event: AuditEvent
) -> Transition:
    return Transition(
        approval_id=approval_id,
        run=run,
        key=f"{level}.{what}",
        at=audit_event.at,
        status=Status.CANCELLED,
        message=audit_event.detail,
        level=level,
        events=[audit_event],
        recipients=[Recipient(event=Event.SETTLED, person=requester)],
    )


class Settled(Model):
    """How a request ended on record."""

    status: Status
    message: SentAsWords
    decisions: list[Decision] = []


class GrantTerms(Model):
    """A grant that was opened: the input of its workflow. `run` is that of its request, whose number may be used again.

    It is empty for a request of a version that did not keep runs here.
    """

    approval_id: int
    starts_at: datetime
    ends_at: datetime
    run: str = ""


class RecordedTransition(Model):
    """The result of writing a transition: its number in the request, and the grant, if it opened one.

    `instead`: the request had ended on record before, in this way, so the transition came too late. `disabled`: the
    transition relies on these people, who are disabled, so nothing was written.
    """

    number: int = 0
    grant: GrantTerms | None = None
    instead: Settled | None = None
    disabled: list[Id] = []


class TransitionResult(RecordedTransition):
    """The same, with the people who can be reached by no channel.

    What failed only for now is sent later by the sweeper.
    """

    unreachable: list[Id] = []


class Recheck(OfRequest):
    """The people of an open request to be checked again; and the levels after `level`, if that is given."""

    people: list[Id]
    level: int | None = None


class Availability(Model):
    """Which of the people that were checked may no longer act, can't be reached, or are out of office.

    `nobody_at` is the first level to come that too few people could pass, 0 where there is none.
    """

    requester_disabled: bool = False
    why_disabled: str = "The requester was disabled."
    disabled: list[Id] = []
    unreachable: list[Id] = []
    away: list[Id] = []
    nobody_at: int = 0


class DeadlineCheck(OfRequest):
    """Asks at the deadline whether the request may expire. `looked_at` is when its workflow first asked.

    `waited` is how long the workflow has paused since, in total: for at least that long a worker was there.
    """

    deadline: datetime
    looked_at: datetime
    waited: timedelta = timedelta(0)


class TimelyAnswers(Model):
    """The answers that came in time and were not refused, those to earlier levels first.

    `complete`: all inboxes were read up to the deadline. `level` is the last that had started, by the record.
    """

    answers: list[Answer] = []
    complete: bool = True
    level: int = 0


class GrantEnd(Model):
    """How a grant ended; `who` did it (the clock, or a person)."""

    approval_id: int
    status: GrantStatus
    at: datetime
    who: str
    channel: str = ""
    message: SentAsWords
    undo_id: Annotated[str, Field(alias="wish_id")] = ""  # of the Revoke that ended it; read if `proof` is empty
    proof: dict[str, str] = {}
    run: str | None = None  # of its request; None ends the grant of that number, whatever its run


def time_over(approval_id: int, at: datetime) -> GrantEnd:
    """The end of a grant whose time is over."""
    message = "Its time is over."
    return GrantEnd(approval_id=approval_id, status=GrantStatus.ENDED, at=at, who="the clock", message=message)


class AskAgain(OfRequest):
    """Somebody asked again while the request was open; `key` is the same when this is recorded again after a crash."""

    key: str
    event: Annotated[AuditEvent, Field(alias="line")]


class Undo(Model):
    """Asks to undo something; `name` is the name of `who`, `proof` what shows that it was them.

    `id` is the same when the call is repeated; "" where it never is.
    """

    approval_id: int
    who: str
    channel: str
    reason: SentAsWords = ""
    id: str = ""
    name: str = ""
    proof: dict[str, str] = {}

    @property
    def on_record(self) -> dict[str, str]:
        """The proof as the record keeps it, with the id by which a repeated call is recognized."""
        return {**({"wish": self.id} if self.id else {}), **self.proof}

    def message(self, how: str) -> str:
        """The text for people and the record: `Cancelled by Alice Ainsworth: not needed`."""
        return sentence(f"{how} by {self.name or self.who}", self.reason)


class Cancel(Undo):
    """Withdraws a request that waits."""


class Revoke(Undo):
    """Ends a grant early; `given_back`: by the person whom it was for, or by a gateway that asked for it."""

    given_back: bool = False

    @property
    def status(self) -> GrantStatus:
        """How the grant ends: Ended if it was given back, otherwise Revoked."""
        return GrantStatus.ENDED if self.given_back else GrantStatus.REVOKED

    def end(self, at: datetime) -> GrantEnd:
        """How the grant ends by this."""
        return GrantEnd(
            approval_id=self.approval_id,
            status=self.status,
            at=at,
            who=self.who,
            channel=self.channel,
            message=self.message("Given back" if self.given_back else "Revoked"),
            undo_id=self.id,
            proof=self.on_record,
        )
