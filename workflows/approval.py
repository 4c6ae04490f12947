"""One request, from the question to its decision: what the workflows of all kinds of subjects share."""

import asyncio
from contextlib import suppress
from typing import Any, ClassVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.requests import RequestActivities
    from countersign.ballot import Ballot
    from countersign.durations import whole_minutes
    from countersign.error_codes import ErrorCode
    from countersign.errors import BadQuestion, CountersignError, NotFound, NotYet, Refused
    from countersign.grant_reuse import being_decided, on_record
    from countersign.kinds.kind import SubjectKind
    from countersign.models import STARTED_IN_TEMPORAL, Answer, Asked, Judgement, Outcome, Question, Status
    from countersign.question import QuestionBy, has_true_for_a_number, read_question_by
    from countersign.transitions import WHILE_OPEN, AskAgain, Cancel, Opening
    from workflows.change import CANCELLED_IN_TEMPORAL, TEMPORAL, BallotChange
    from workflows.execute import execute, refusal_in
    from workflows.levels import Levels
    from workflows.open_request import NotOnRecord, OpenRequest


class Approval:
    """Opens the request, passes level after level, and ends when it is decided; the result is the outcome.

    The workflow of a kind is a class of its own that sets `kind`, and whose `run` returns `decided`.
    Updates: `ask` joins it, `decide` judges a stored answer, `cancel` withdraws it, `look_again` checks who may act.
    """

    kind: ClassVar[SubjectKind[Any]]

    def __init__(self) -> None:
        self._opened: OpenRequest | None = None
        self._answered_by_grant: Outcome | None = None  # the question is answered by a grant that lasts
        self._refusal: CountersignError | None = None
        self._was_asked = False
        self._started_raw = False
        self._cancelled = False  # in Temporal, while the request was being opened

    # --- messages ----------------------------------------------------------------------------------------------------

    @workflow.update(name="ask")
    async def ask(self, sent: dict[str, Any]) -> Asked:
        """Open or join the request; returns once it has its number and its first change is on record."""
        # The validator checks what came in; an old history may hold what it refuses today.
        asked = read_question_by(sent, self.kind, as_before=True)
        # Several updates may come with the start, in one task, before the request has its number.
        joined, self._was_asked = self._was_asked or self._opened is not None, True
        await workflow.wait_condition(lambda: self._opening_over)
        _refuse(self._refusal)
        if self._answered_by_grant is not None:
            earlier = self._answered_by_grant
            return Asked(
                approval_id=earlier.approval_id,
                status=earlier.status,
                joined=True,
                message=earlier.message,
                grant=earlier.grant,
            )
        request = self._request
        request.must_not_be_lost()
        if joined or self._started_raw:
            await self._record_repeat(asked)
        if request.being_written:  # an approval has no grant yet, and may have ended differently on record
            await workflow.wait_condition(lambda: not request.being_written)
        request.must_not_be_lost()
        return self._reply(asked.question, joined or self._started_raw)

    @ask.validator
    def may_ask(self, sent: dict[str, Any]) -> None:
        """Refuse what is not a question, and say why."""
        try:
            self._read(sent)
        except BadQuestion as error:
            _refuse(error)

    @workflow.update(name="decide")
    async def decide(self, answer: Answer) -> Judgement:
        """Count a stored answer. If it may count after a change that is being written, wait for that change first."""
        if not self._opening_over:
            await workflow.wait_condition(lambda: self._opening_over)
        while self._has_to_wait(answer):
            await workflow.wait_condition(lambda: not self._has_to_wait(answer))
        if not self._counted(answer):
            _refuse(self._objection(answer))
            await self._request.count(answer)
        if not self._counted(answer):
            _refuse(self._objection(answer))
        return self._judgement("It counted.")

    @decide.validator
    def may_decide(self, answer: Answer) -> None:
        """Refuse an answer that can't count, and say why; a refusal leaves nothing in the history.

        One that may count after the change that is being written is not refused: the handler waits. An answer to a
        later level is to be sent again: the level may have started on record, and a crash made us lose that.
        """
        # After a crash the opening may run again while answers to the mails of its first run already come in.
        if not self._opening_over or (self._may_yet_count(answer) and self._changing):
            return
        if self._may_yet_count(answer):
            raise ApplicationError(f"{self._objection(answer)} Try again.", type=NotYet.__name__)
        _refuse(self._objection(answer))

    @workflow.update(name="cancel")
    async def cancel(self, cancellation: Cancel) -> Judgement:
        """Withdraw the request while it waits (rule 7)."""
        request = self._request
        if request.being_written and self._not_waiting(cancellation.approval_id):
            await workflow.wait_condition(lambda: not request.being_written)
        await request.until_written()
        _refuse(self._not_waiting(cancellation.approval_id))
        await request.withdraw(cancellation)
        if request.ballot.status is not Status.CANCELLED:
            _refuse(self._not_waiting(cancellation.approval_id))
        return self._judgement()

    @cancel.validator
    def may_cancel(self, cancellation: Cancel) -> None:
        """Refuse what can't be cancelled, and say why; while a change is being written, the handler judges after it."""
        if self._opened is None or not self._opened.being_written:
            _refuse(self._not_waiting(cancellation.approval_id))

    @workflow.update(name="look_again")
    async def recheck(self, approval_id: int) -> None:
        """Check again who may act (rules 4 and 6): somebody was disabled, or can't be reached."""
        await self._request.recheck()

    @recheck.validator
    def may_recheck(self, approval_id: int) -> None:
        """Refuse when nothing waits here."""
        _refuse(self._not_waiting(approval_id))

    @workflow.query(name="state")
    def state(self) -> Ballot | None:
        """The ballot as it is now; None before the request has its number."""
        return self._opened.ballot if self._opened else None

    # --- run ---------------------------------------------------------------------------------------------------------

    async def decided(self, raw: object, extra: tuple[object, ...]) -> Outcome:
        """Decide one question; `raw` is any JSON, so that a bad start fails at once instead of hanging."""
        try:
            as_before = has_true_for_a_number(raw) and not workflow.patched("true is no number")
            await self._open_even_if_cancelled(self._read(raw, extra, as_before))
        except (BadQuestion, FailureError) as error:
            self._refusal = error if isinstance(error, BadQuestion) else refusal_in(error)
            if self._refusal is None:
                raise
            await workflow.wait_condition(workflow.all_handlers_finished)
            _refuse(self._refusal)
        if self._answered_by_grant is not None:
            await self._handlers_finished()
            return self._answered_by_grant
        with suppress(NotOnRecord):
            await self._to_its_end()
        if self._request.lost is not None:
            self._request.show()
        await self._handlers_finished()
        _refuse(self._request.lost)
        return self._outcome()

    async def _to_its_end(self) -> None:
        """Pass the levels; if somebody cancels the workflow in Temporal, cancel the request."""
        request = self._request
        try:
            if not self._cancelled:
                await Levels(request).pass_all()
                return
        except (asyncio.CancelledError, FailureError) as error:
            if not is_cancelled_exception(error):
                raise
        await request.until_written()
        if not request.ballot.settled:
            request.ballot.cancel(CANCELLED_IN_TEMPORAL)
        # What settled it before may not be on record, as its writing was cancelled too.
        await request.change(BallotChange(who=TEMPORAL))
        if not request.ballot.settled:  # it relied on approvals that no longer count
            request.ballot.cancel(CANCELLED_IN_TEMPORAL)
            await request.change(BallotChange(who=TEMPORAL))

    async def _handlers_finished(self) -> None:
        with suppress(asyncio.CancelledError):  # nothing is left to cancel
            await workflow.wait_condition(workflow.all_handlers_finished)
        if not workflow.all_handlers_finished():
            await workflow.wait_condition(workflow.all_handlers_finished)

    def _read(self, raw: object, extra: tuple[object, ...] = (), as_before: bool = False) -> QuestionBy:
        """The question that was sent; BadQuestion says what to write instead."""
        if extra:
            raise BadQuestion("The workflow takes one input, a JSON object; leave the others out.")
        asked = read_question_by(raw, self.kind, as_before)
        if workflow.info().workflow_id != asked.question.workflow_id:
            raise BadQuestion(f"The workflow id must be {asked.question.workflow_id}; start it under that.")
        return asked

    async def _open_even_if_cancelled(self, asked: QuestionBy) -> None:
        """Open it even if it is cancelled in Temporal meanwhile: it may have its number already."""
        try:
            await self._open(asked)
        except (asyncio.CancelledError, FailureError) as error:
            if not is_cancelled_exception(error):
                raise
            self._cancelled = True
            await self._open(asked)

    async def _open(self, asked: QuestionBy) -> None:
        # The first `ask` comes with the start and opens the request; after a start without one, every `ask` joins.
        self._started_raw = not asked.asked_by and workflow.patched("a raw start opens by itself")
        info = workflow.info()
        opening = Opening(
            question=asked.question,
            workflow_id=info.workflow_id,
            run_id=info.first_execution_run_id,
            asked_by=asked.asked_by or STARTED_IN_TEMPORAL,
            started_at=info.workflow_start_time,
        )
        reply = await execute(RequestActivities.open, opening)
        self._answered_by_grant = reply.outcome
        if self._answered_by_grant is None:
            assert reply.opened is not None
            self._opened = OpenRequest(asked.question, reply.opened)

    # --- shared by handlers and run ----------------------------------------------------------------------------------

    @property
    def _request(self) -> OpenRequest:
        assert self._opened is not None
        return self._opened

    def _reply(self, again: Question, joined: bool) -> Asked:
        ballot, question, lasts = self._request.ballot, self._request.question, self._request.opened.route.grant_lasts
        waits = joined and not ballot.settled
        return Asked(
            approval_id=ballot.approval_id,
            status=ballot.status,
            joined=joined,
            message=being_decided(ballot.approval_id, question, lasts, again) if waits else ballot.message,
            grant=self._request.grant,
            reason=question.reason,
            ticket=question.ticket,
            minutes=whole_minutes(lasts),
            source_address=question.source_address,
        )

    async def _record_repeat(self, asked: QuestionBy) -> None:
        request, who = self._request, asked.asked_by or asked.question.requester
        event = request.event("asked_again", who, WHILE_OPEN, proof=on_record(asked.question))
        update = workflow.current_update_info()
        assert update is not None
        again = AskAgain(**request.named, key=f"ask.{update.id}", event=event)
        with request.must_be_found():
            ended = await execute(RequestActivities.ask_again, again)
        if ended is not None and not request.being_written and not request.ballot.settled:
            # It was cancelled on record while no worker was there; the caller opens another one.
            request.ballot.adopt(ended.status, ended.message, ended.decisions)
            raise ApplicationError(ended.message, type=NotFound.__name__, non_retryable=True)

    @property
    def _opening_over(self) -> bool:
        if self._answered_by_grant is not None or self._refusal is not None:
            return True
        return self._opened is not None and (self._opened.is_on_record or self._opened.lost is not None)

    def _objection(self, answer: Answer) -> Refused | None:
        return self._opened.ballot.judge(answer) if self._opened else Refused("There is no such request.")

    def _counted(self, answer: Answer) -> bool:
        return self._opened is not None and self._opened.ballot.counted(answer)

    def _may_yet_count(self, answer: Answer) -> bool:
        """Whether an answer can't count now, but may once a change is written, or at a later level."""
        if self._opened is None:
            return False
        ballot = self._opened.ballot
        if ballot.judge(answer) is None or ballot.never_counts(answer):
            return False
        return self._changing or ballot.is_ahead(answer)

    def _has_to_wait(self, answer: Answer) -> bool:
        return self._may_yet_count(answer) or (self._opened is not None and self._opened.next_has_to_wait)

    @property
    def _changing(self) -> bool:
        """Whether a judgement made now is not final: a change is being written, or the next level is about to start."""
        ballot = self._request.ballot
        return bool(self._request.being_written) or (ballot.level_passed and not ballot.settled)

    def _not_waiting(self, approval_id: int) -> Refused | None:
        ballot = self._opened.ballot if self._opened else None
        if ballot is None or ballot.approval_id != approval_id:
            message = f"#{approval_id} is not the request that is open here."
            return Refused(message, ErrorCode.OTHER_REQUEST, approval_id=approval_id)
        return ballot.ended() if ballot.settled else None

    def _judgement(self, otherwise: str = "") -> Judgement:
        ballot = self._request.ballot
        return Judgement(accepted=True, message=ballot.message or otherwise, status=ballot.status)

    def _outcome(self) -> Outcome:
        ballot = self._request.ballot
        return Outcome(
            approval_id=ballot.approval_id,
            status=ballot.status,
            message=ballot.message,
            decisions=ballot.decisions,
            grant=self._request.grant,
        )


def _refuse(error: CountersignError | None) -> None:
    if error is not None:
        raise ApplicationError(str(error), error.details, type="Refused", non_retryable=True) from None
