"""What is done with a checked mail: it is stored as an answer, what it asks for is done, or its sender is notified."""

import asyncio
import logging
from datetime import datetime

from countersign.errors import CountersignError, NotAllowed, NotFound, Refused, TooMany, message_of
from countersign.models import Answer, Event, Status, Verdict
from countersign.notifications import RejectedInput, SubmittedAnswer
from notifiers.email.checked_mail import CHANNEL, CheckedMail
from notifiers.email.inbound import Inbound, of_engine
from notifiers.engine import Undo

# The engine's errors for not doing what a person wants.
NOT_DONE = (Refused, NotAllowed, NotFound, TooMany)

log = logging.getLogger(__name__)


class MailHandler:
    """Reads and checks mails, and hands what they say to the engine."""

    def __init__(self, inbound: Inbound) -> None:
        self._inbound = inbound
        self._engine = inbound.engine
        self._submitting: set[asyncio.Task[None]] = set()

    async def take(self, raw: bytes, arrived: datetime, whole: bool = True) -> None:
        """Take one mail, or the header alone of one that is too large; when this returns, what it says is stored.

        Raises Unavailable if the engine, the database or Temporal fails: show the mail again later. Anything else that
        it raises is due to the mail itself.
        """
        mail = await self._inbound.explain(raw, arrived, whole)
        if mail.checked.undoes or mail.checked.comments:
            await self._act(mail)
        elif mail.checked.decides:
            await self._answer(mail, arrived)
        else:
            if mail.addressee and mail.signal:
                await of_engine(self._engine.report(mail.addressee.id, mail.reply.approval_id, *mail.signal))
            await self._reject(mail)

    async def _answer(self, mail: CheckedMail, arrived: datetime) -> None:
        checked = mail.checked
        assert checked.approval_id is not None
        assert checked.level is not None
        submitted = SubmittedAnswer(
            channel=CHANNEL,
            source_id=mail.source_id,
            approval_id=checked.approval_id,
            level=checked.level,
            person=checked.person,
            verdict=Verdict(checked.verdict),
            comment=checked.comment,
            at=arrived,
            proof=mail.proof,
        )
        try:
            answer = await of_engine(self._engine.store_answer(submitted), Refused, NotFound)
        except (Refused, NotFound) as error:
            log.info("mail %s refused: %s", mail.reply.message_id, message_of(error))
            return
        # Stored is enough for the mailbox; judging may take its time, and the sweeper submits what a crash leaves.
        task = asyncio.create_task(self._submit(answer))
        self._submitting.add(task)
        task.add_done_callback(self._submitting.discard)

    async def _submit(self, answer: Answer) -> None:
        try:
            judgement = await self._engine.submit(answer)
            log.info("answer %s to #%s: %s", answer.id, answer.approval_id, judgement.message)
        except CountersignError as error:
            log.warning("answer %s waits: %s", answer.id, message_of(error))

    async def _act(self, mail: CheckedMail) -> None:
        """Do what a mail asks for that is no answer; a refusal is recorded, and the sender notified."""
        try:
            act = self._engine.comment(mail.submitted_comment) if mail.checked.comments else self._undo(mail)
            await of_engine(act, *NOT_DONE)
        except NOT_DONE as error:
            refusal = {"message": message_of(error), "answer_back": "refusal"}
            await self._reject(mail._replace(checked=mail.checked.model_copy(update=refusal)))

    async def _undo(self, mail: CheckedMail) -> None:
        """End what the mail asks to end: its requester cancels or gives back, an approver revokes (rule 7)."""
        view, who = mail.request, mail.checked.person
        assert view is not None
        undo: Undo[object] = self._engine.revoke
        if who == view.question.requester:
            undo = self._engine.cancel if view.status is Status.WAITING else self._engine.give_back
        comment = mail.checked.comment
        principal = await self._engine.principal(who)
        await undo(view.approval_id, principal, CHANNEL, comment, undo_id=mail.source_id, proof=mail.proof)

    async def _inquire(self, mail: CheckedMail) -> str:
        """Pass a question on to the requester; returns what its sender is told of that, if anything."""
        assert mail.request is not None
        try:
            await of_engine(self._engine.inquire(mail.submitted_comment), *NOT_DONE)
        except TooMany as error:
            return f"{error} "
        except NOT_DONE as error:  # the help mail says how the request ended
            log.info("mail %s not passed on: %s", mail.reply.message_id, message_of(error))
            return ""
        return f"Your question was passed on to {mail.request.requester_name}. "

    async def _reject(self, mail: CheckedMail) -> None:
        checked = mail.checked
        event = {"help": Event.HELP, "refusal": Event.ANSWER_REFUSED, "none": None}[checked.answer_back]
        passed_on = await self._inquire(mail) if checked.inquires else ""
        recipient, message = mail.sender if mail.sender_is_concerned else None, passed_on + checked.message
        if mail.is_from_an_unknown_address:
            recipient, event, message = mail.addressee, Event.HELP, mail.from_elsewhere
        refused = RejectedInput(
            channel=CHANNEL,
            source_id=mail.message_id,
            answer_id=mail.source_id if checked.code == "still_waiting" else "",
            approval_id=mail.request.approval_id if mail.request else None,
            who=mail.who,
            person=recipient or mail.sender,
            event=event if recipient else None,
            reason=message,
            proof=mail.proof,
        )
        await of_engine(self._engine.record_rejected(refused))
