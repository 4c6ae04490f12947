"""Takes answers in: stores them, has their request judge them, and notifies their senders of refusals."""

from countersign.errors import NotFound, NotYet, Refused, Unavailable, other_level
from countersign.models import Answer, Judgement, Status
from countersign.notifications import RejectedInput, SubmittedAnswer
from engine.recovery import submit_counted_again
from engine.resources import Resources
from engine.settling import Settling


class Submitting:
    """Stores answers, submits them, and returns the result of each."""

    def __init__(self, resources: Resources, settling: Settling) -> None:
        self._resources = resources
        self._run = resources.run
        self._transactions = resources.transactions
        self._client = resources.client
        self._requests = resources.store.reading
        self._answers = resources.store.answers
        self._settling = settling

    async def store(self, submitted: SubmittedAnswer) -> Answer:
        """Store the answer before anything else. Raises NotFound, and Refused, recorded, if it could never count."""
        try:
            return await self._run(
                self._transactions.answers.store, submitted, self._resources.notifies(submitted.channel)
            )
        except Refused:
            await self._resources.send_replies(submitted.approval_id)
            raise

    async def submit(self, answer: Answer) -> Judgement:
        """Have its request judge a stored answer.

        Repeated, it returns the same. Raises Unavailable; the sweeper retries.
        """
        outcome = await self._run(self._answers.outcome, answer.id)
        if outcome.state == "open":
            try:
                return await self._submit_to_workflow(answer)
            except Refused as error:
                refusal = error
            except NotFound as error:
                refusal = await self._outcome_on_record(answer)
                if refusal.fields["request_status"] == Status.WAITING:
                    if not await self._settling.settle_if_lost(answer.approval_id):
                        raise Unavailable("The request can't be asked now; the answer is kept.") from error
                    refusal = await self._outcome_on_record(answer)
            notifies_sender = self._resources.notifies(answer.channel)
            await self._run(self._transactions.answers.refuse, answer.id, refusal, notifies_sender)
            await self._resources.send_replies(answer.approval_id)
            outcome = await self._run(self._answers.outcome, answer.id)
        view = await self._run(self._requests.request, answer.approval_id)
        accepted = outcome.state == "accepted"
        return Judgement(accepted=accepted, message=outcome.message, status=view.status, details=outcome.details)

    async def _submit_to_workflow(self, answer: Answer) -> Judgement:
        """Have the request's workflow judge an answer; if it has lost what is on record, it is sent that first.

        Raises Refused, NotFound, Unavailable; NotYet if it still can't judge.
        """
        workflow_id = await self._run(self._requests.workflow_of, answer.approval_id)
        if await self._run(self._answers.counted_before, answer):
            # A workflow that has lost the first one would count the same person once more.
            await submit_counted_again(self._resources, {answer.approval_id: workflow_id})
        try:
            return await self._client.decide(workflow_id, answer)
        except NotYet:
            view = await self._run(self._requests.request, answer.approval_id)
            if answer.level > view.level:  # a level is on record before anybody is asked at it
                raise other_level(answer.approval_id, answer.level, view.level) from None
        await submit_counted_again(self._resources, {answer.approval_id: workflow_id})
        return await self._client.decide(workflow_id, answer)

    async def record_rejected(self, refused: RejectedInput) -> None:
        """Record input that decides nothing, and notify its sender if `event` says so."""
        await self._run(self._transactions.rejected_inputs.record, refused)
        if refused.event and refused.approval_id:
            await self._resources.send_replies(refused.approval_id)

    async def _outcome_on_record(self, answer: Answer) -> Refused:
        return (await self._run(self._requests.request, answer.approval_id)).ended(answer.at)
