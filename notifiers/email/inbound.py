"""The way in by email: read a mail, judge it, and hand what it says to the engine."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from countersign.errors import (
    BadQuestion,
    CountersignError,
    NotAllowed,
    NotFound,
    Refused,
    TooMany,
    Unavailable,
    message_of,
)
from countersign.models import Answer, Event, Status, Verdict
from countersign.notifications import RejectedInput, SubmittedAnswer
from countersign.views import Explained, RequestView
from notifiers.email import explanation, token
from notifiers.email.authenticity import Authentic, authenticate
from notifiers.email.config import AuthenticityRule
from notifiers.email.explanation import CHANNEL, Explanation
from notifiers.email.grammar.lexicon import CODES
from notifiers.email.judge import Facts, judge, whose_token
from notifiers.email.mailbox import EngineFault
from notifiers.email.reply import KnownNames, Reply, read_head, read_reply
from notifiers.email.token import KeyRing
from notifiers.engine import Engine

# The watcher waits this long for the engine to store an answer; then the mail stays where it is, for the next look.
STORE_SECONDS = 20.0

# How the engine says that it does not do what a person wants.
NOT_DONE = (Refused, NotAllowed, NotFound, TooMany)

log = logging.getLogger(__name__)
T = TypeVar("T")


class Inbound:
    """Takes mails from the watcher's thread and gives what they say to the engine, which lives in `loop`.

    `addresses` are ours: only a mail that is written to one of them, with a tag or without, can be an answer.
    `languages`: codes of those that answers are read in.
    """

    def __init__(
        self,
        engine: Engine,
        keys: KeyRing,
        rule: AuthenticityRule,
        addresses: Sequence[str],
        loop: asyncio.AbstractEventLoop,
        languages: Sequence[str] = CODES,
    ) -> None:
        self.engine = engine
        self.keys = keys
        self.rule = rule
        self.addresses = list(addresses)
        self.loop = loop
        self.languages = tuple(languages)
        self._submitting: set[asyncio.Task[None]] = set()

    def take(self, raw: bytes, arrived: datetime) -> None:
        """Take one mail; when this returns, what it says is stored.

        Raises Unavailable where the engine, the database or Temporal fails: show the mail again later. Whatever else it
        raises is because of the mail itself.
        """
        self._store(self._take(raw, read_reply(raw, languages=self.languages), arrived))

    def take_head(self, head: bytes, arrived: datetime) -> None:
        """Take the header of a mail that is too large, as `take` does: it decides nothing, and its sender is told."""
        self._store(self._take(head, read_head(head), arrived))

    def _store(self, taking: Coroutine[Any, Any, None]) -> None:
        try:
            taken = asyncio.run_coroutine_threadsafe(taking, self.loop)
        except RuntimeError:  # the loop is closed
            taking.close()
            raise Unavailable("the engine has ended") from None
        try:
            taken.result(STORE_SECONDS)
        except TimeoutError:
            taken.cancel()
            raise Unavailable("the engine did not store the mail in time") from None
        except CancelledError:  # the worker ends; it is no fault of the mail
            raise Unavailable("the engine ended before it stored the mail") from None

    async def explain(self, raw: bytes) -> Explanation:
        """Say what would become of this mail, and change nothing."""
        return await self._judge(raw, await asyncio.to_thread(read_reply, raw, None, self.languages))

    async def explained(self, raw: bytes) -> Explained:
        """The same, as the portal tells it."""
        return (await self.explain(raw)).explained

    async def _take(self, raw: bytes, reply: Reply, arrived: datetime) -> None:
        mail = await self._judge(raw, reply, arrived)
        if mail.judged.undoes or mail.judged.comments:
            await self._act(mail)
        elif mail.judged.decides:
            await self._answer(mail, arrived)
        else:
            if mail.addressee and mail.signal:
                await _of_engine(self.engine.report(mail.addressee.id, reply.approval_id, *mail.signal))
            await self._turn_down(mail)

    async def _judge(self, raw: bytes, reply: Reply, arrived: datetime | None = None) -> Explanation:
        sender = await _of_engine(self.engine.person_at(reply.sender)) if reply.sender else None
        # Where a mail has no token, its sender can be helped with the request that its subject names.
        view = await self._request(reply.approval_id or token.in_subject(reply.subject))
        if sender and view and reply.kind == "reply":  # again, now that the names are known that may stand in it
            known = KnownNames(sender.name, [view.requester_name, *(one.name for one in view.approvers)])
            reply = await asyncio.to_thread(read_reply, raw, known, self.languages)
        # Whose copy this is, of those who have one that whom the token names.
        is_kind = partial(token.kind_of, self.keys, run=view.token_run if view else "")
        holder, kind = whose_token(reply, explanation.concerned(view) if view else (), is_kind)
        addressee = await _of_engine(self.engine.person(holder)) if holder else None
        # What strangers write is not worth a look-up in DNS, for which they may let us wait.
        check = asyncio.to_thread(authenticate, raw, reply.sender, self.rule) if sender or addressee else None
        facts = Facts(
            authentic=await check if check else Authentic(False, "not checked, as a stranger sent it"),
            addresses=self.addresses,
            person=sender.id if sender else "",
            token_of=addressee.id if addressee else "",
            mail_kind=kind,
            # How a request stands is nobody's business who holds no mail about it.
            status=view.status if view and addressee else None,
            outcome=str(view.ended(arrived)) if view and addressee and view.status is not Status.WAITING else "",
        )
        digest = hashlib.sha256(raw).hexdigest()
        return Explanation(reply, judge(reply, facts), sender, addressee, view, facts.authentic, digest)

    async def _request(self, approval_id: int | None) -> RequestView | None:
        with suppress(NotFound):
            return await _of_engine(self.engine.request(approval_id), NotFound) if approval_id else None
        return None

    async def _answer(self, mail: Explanation, arrived: datetime) -> None:
        judged = mail.judged
        assert judged.approval_id is not None
        assert judged.level is not None
        given = SubmittedAnswer(
            channel=CHANNEL,
            source_id=mail.source_id,
            approval_id=judged.approval_id,
            level=judged.level,
            person=judged.person,
            verdict=Verdict(judged.verdict),
            comment=judged.comment,
            at=arrived,
            proof=mail.proof,
        )
        try:
            answer = await _of_engine(self.engine.store(given), Refused, NotFound)
        except (Refused, NotFound) as error:
            log.info("mail %s refused: %s", mail.reply.message_id, message_of(error))
            return
        # Stored is enough for the mailbox; judging may take its time, and the sweeper submits what a crash leaves.
        task = self.loop.create_task(self._submit(answer))
        self._submitting.add(task)
        task.add_done_callback(self._submitting.discard)

    async def _submit(self, answer: Answer) -> None:
        try:
            judgement = await self.engine.submit(answer)
            log.info("answer %s to #%s: %s", answer.id, answer.approval_id, judgement.message)
        except CountersignError as error:
            log.warning("answer %s waits: %s", answer.id, message_of(error))

    async def _act(self, mail: Explanation) -> None:
        """Do what the mail asks for, beside an answer; a refusal is recorded, and told to its sender."""
        try:
            act = self.engine.comment(mail.said) if mail.judged.comments else self._undo(mail)
            await _of_engine(act, *NOT_DONE)
        except NOT_DONE as error:
            refusal = {"message": message_of(error), "answer_back": "refusal"}
            await self._turn_down(mail._replace(judged=mail.judged.model_copy(update=refusal)))

    async def _undo(self, mail: Explanation) -> None:
        """End what the mail asks to end: its requester cancels or gives back, an approver revokes (rule 7)."""
        view, who = mail.request, mail.judged.person
        assert view is not None
        undo: Callable[..., Awaitable[object]] = self.engine.revoke
        if who == view.question.requester:
            undo = self.engine.cancel if view.status is Status.WAITING else self.engine.give_back
        comment = mail.judged.comment
        await undo(view.approval_id, who, CHANNEL, comment, undo_id=mail.source_id, proof=mail.proof)

    async def _inquire(self, mail: Explanation) -> str:
        """Pass a question on to the requester; returns what its sender is told of that, if anything."""
        assert mail.request is not None
        try:
            await _of_engine(self.engine.inquire(mail.said), *NOT_DONE)
        except TooMany as error:
            return f"{error} "
        except NOT_DONE as error:  # the help mail says how the request ended
            log.info("mail %s not passed on: %s", mail.reply.message_id, message_of(error))
            return ""
        return f"Your question was passed on to {mail.request.requester_name}. "

    async def _turn_down(self, mail: Explanation) -> None:
        judged = mail.judged
        event = {"help": Event.HELP, "refusal": Event.ANSWER_REFUSED, "none": None}[judged.answer_back]
        passed_on = await self._inquire(mail) if judged.inquires else ""
        told, message = mail.sender if mail.sender_is_concerned else None, passed_on + judged.message
        if mail.is_from_an_unknown_address:
            told, event, message = mail.addressee, Event.HELP, mail.from_elsewhere
        refused = RejectedInput(
            channel=CHANNEL,
            source_id=mail.message_id,
            answer_id=mail.source_id if judged.code == "still_waiting" else "",
            approval_id=mail.request.approval_id if mail.request else None,
            who=mail.who,
            person=told or mail.sender,
            event=event if told else None,
            reason=message,
            proof=mail.proof,
        )
        await _of_engine(self.engine.record_rejected(refused))


async def _of_engine(call: Awaitable[T], *answers: type[CountersignError]) -> T:
    """What the engine does with a mail. `answers` say no; else its failure is the mail's only where it can't be stored.

    Anything else, also a fault of ours, says nothing about the mail, which has to be seen again.
    """
    try:
        return await call
    except CountersignError as error:
        if isinstance(error, (*answers, BadQuestion, Unavailable)):
            raise
        raise Unavailable(message_of(error)) from error
    except Exception as error:
        log.exception("a mail is left for later, as something else than the mail is at fault")
        raise EngineFault(message_of(error)) from error
