"""Read and check a mail, and look up what it doesn't show: whose address and token it has, its request's status."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from countersign.errors import BadQuestion, CountersignError, NotFound, Unavailable, message_of
from countersign.models import Status
from countersign.views import Explained
from notifiers.email import token
from notifiers.email.authenticity import Authentic, authenticate
from notifiers.email.checked_mail import CheckedMail, concerned
from notifiers.email.checks import Facts, check_reply, whose_token
from notifiers.email.config import AuthenticityRule
from notifiers.email.grammar.lexicon import CODES
from notifiers.email.mailbox.intake import EngineFault
from notifiers.email.reply import KnownNames, Reply, read_head, read_reply
from notifiers.email.token import KeyRing
from notifiers.engine import Engine

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Inbound:
    """Reads and checks mails, and changes nothing.

    `addresses` are ours: only a mail that is written to one of them, with a tag or without, can be an answer.
    `languages`: codes of the languages that answers are read in.
    """

    engine: Engine
    keys: KeyRing
    rule: AuthenticityRule
    addresses: Sequence[str]
    languages: Sequence[str] = CODES

    async def explain(self, raw: bytes, arrived: datetime | None = None, whole: bool = True) -> CheckedMail:
        """Read and check a mail, which came at `arrived`; if not `whole`, it is too large, and `raw` is its header."""
        reply = await (self._read(raw) if whole else of_engine(asyncio.to_thread(read_head, raw)))
        return await self._check(raw, reply, arrived)

    async def explained(self, raw: bytes) -> Explained:
        """What becomes of a mail, in the form that the portal shows."""
        found = await self.explain(raw)
        return Explained(
            report={"reply": found.reply.model_dump(mode="json"), "judged": found.checked.model_dump(mode="json")},
            has_sender=bool(found.reply.sender),
            sender=found.sender.id if found.sender else "",
            token_of=found.addressee.id if found.addressee else "",
        )

    async def _read(self, raw: bytes, known: KnownNames | None = None) -> Reply:
        return await of_engine(asyncio.to_thread(read_reply, raw, known, self.languages))

    async def _check(self, raw: bytes, reply: Reply, arrived: datetime | None) -> CheckedMail:
        sender = await of_engine(self.engine.person_at(reply.sender)) if reply.sender else None
        # Where a mail has no token, its sender can be helped with the request that its subject names.
        number, view = reply.approval_id or token.in_subject(reply.subject), None
        with suppress(NotFound):
            view = await of_engine(self.engine.request(number), NotFound) if number else None
        if sender and view and reply.kind == "reply":  # again, now knowing the names that may stand in it
            known = KnownNames(sender.name, [view.requester_name, *(one.name for one in view.approvers)])
            reply = await self._read(raw, known)
        # Whose copy this is: the token was made for one of those who hold mails about the request.
        is_kind = partial(token.kind_of, self.keys, run=view.token_run if view else "")
        holder, kind = whose_token(reply, concerned(view) if view else (), is_kind)
        addressee = await of_engine(self.engine.person(holder)) if holder else None
        # Mail from strangers isn't worth a look-up in DNS, as their servers may keep us waiting.
        check = asyncio.to_thread(authenticate, raw, reply.sender, self.rule) if sender or addressee else None
        facts = Facts(
            authentic=await of_engine(check) if check else Authentic(False, "not checked, as a stranger sent it"),
            addresses=list(self.addresses),
            person=sender.id if sender else "",
            token_of=addressee.id if addressee else "",
            mail_kind=kind,
            # Only somebody whose copy was answered may learn the request's status.
            status=view.status if view and addressee else None,
            outcome=str(view.ended(arrived)) if view and addressee and view.status is not Status.WAITING else "",
        )
        digest = hashlib.sha256(raw).hexdigest()
        return CheckedMail(reply, check_reply(reply, facts), sender, addressee, view, facts.authentic, digest)


async def of_engine(call: Awaitable[T], *answers: type[CountersignError]) -> T:
    """Call the engine for a mail. Raises its refusals in `answers`, and BadQuestion if the mail can't be stored.

    Any other failure, even a bug of ours, isn't the mail's fault: this raises Unavailable, and the mail is tried again
    later.
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
