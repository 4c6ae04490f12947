"""Cancels requests and ends grants early: for requesters, approvers and admins (rule 7)."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from countersign.error_codes import ErrorCode
from countersign.errors import CountersignError, NotFound, Refused, Unavailable
from countersign.models import GrantStatus, Judgement, Status
from countersign.permissions import Action, Principal, as_of, disabled, must_be_allowed
from countersign.transitions import WORKFLOW_LOST, Cancel, Revoke, Undo, withdrawn
from countersign.views import RequestView
from engine.resources import Resources
from engine.settling import Settling

U = TypeVar("U", bound=Undo)


class Undoing:
    """Cancels requests, and ends grants early. A call with the same `undo_id` is the same call made again."""

    def __init__(self, resources: Resources, settling: Settling) -> None:
        self._run = resources.run
        self._transactions = resources.transactions
        self._client = resources.client
        self._requests = resources.store.reading
        self._settling = settling

    async def cancel(
        self,
        approval_id: int,
        who: Principal,
        channel: str,
        reason: str = "",
        undo_id: str = "",
        proof: dict[str, str] | None = None,
    ) -> Judgement:
        """Cancel a waiting request, for its requester, an admin, or a gateway that alone asked for it (rule 7).

        A call with the same `undo_id` returns what the first one did, whatever crashed meanwhile. If its workflow
        can't cancel the request, it is cancelled on record, which is what counts.
        """
        view = await self._allowed(Action.CANCEL, approval_id, who)
        cancellation = await self._undo(
            Cancel, approval_id=approval_id, who=who, channel=channel, reason=reason, id=undo_id, proof=proof or {}
        )
        try:
            return await self._client.cancel(view.question.workflow_id, cancellation)
        except Unavailable:
            return await self._withdraw_on_record(view, cancellation)
        except (NotFound, Refused) as error:
            view = await self._run(self._requests.request, approval_id)
            if await self._brought_about(approval_id, undo_id):
                return Judgement(accepted=True, message=view.message, status=view.status)
            if view.status is Status.WAITING:
                if not (isinstance(error, NotFound) and await self._settling.settle_if_lost(approval_id)):
                    raise
                view = await self._run(self._requests.request, approval_id)
                if view.message == WORKFLOW_LOST:
                    return Judgement(accepted=True, message=WORKFLOW_LOST, status=view.status)
            raise view.ended() from error

    async def _withdraw_on_record(self, view: RequestView, cancellation: Cancel) -> Judgement:
        """Cancel a request on record. Its workflow is told to end, or learns of it when it next writes."""
        transition = withdrawn(cancellation, view.token_run, view.level, view.question.requester)
        written = await self._run(self._transactions.transitions.write, transition)
        if view.token_run:
            with suppress(CountersignError):
                await self._client.end(view.question.workflow_id, view.token_run)
        view = await self._run(self._requests.request, cancellation.approval_id)
        if written.instead is not None and not await self._brought_about(cancellation.approval_id, cancellation.id):
            raise view.ended()
        return Judgement(accepted=True, message=view.message, status=view.status)

    async def revoke(
        self,
        approval_id: int,
        who: Principal,
        channel: str,
        reason: str = "",
        undo_id: str = "",
        proof: dict[str, str] | None = None,
    ) -> None:
        """End a grant early, for an approver of the request or an admin (rule 7)."""
        view = await self._allowed(Action.REVOKE, approval_id, who)
        revocation = await self._undo(
            Revoke, approval_id=approval_id, who=who, channel=channel, reason=reason, id=undo_id, proof=proof or {}
        )
        await self._end_grant(view, revocation)

    async def give_back(
        self,
        approval_id: int,
        who: Principal,
        channel: str,
        reason: str = "",
        undo_id: str = "",
        proof: dict[str, str] | None = None,
    ) -> None:
        """End a grant that is no longer needed, for its requester or a gateway that asked for it (rule 7)."""
        view = await self._allowed(Action.GIVE_BACK, approval_id, who)
        revocation = await self._undo(
            Revoke, approval_id=approval_id, who=who, channel=channel, reason=reason, id=undo_id, proof=proof or {}
        )
        await self._end_grant(view, revocation.model_copy(update={"given_back": True}))

    async def _end_grant(self, view: RequestView, revocation: Revoke) -> None:
        about = view.approval_id
        if view.grant is None:
            what = "give back" if revocation.given_back else "revoke"
            why = f"#{about} is {view.status} and has no grant to {what}."
            raise Refused(why, ErrorCode.NO_GRANT, approval_id=about, request_status=view.status)
        over = Refused(f"The grant of #{about} is over already.", ErrorCode.GRANT_OVER, approval_id=about)
        ended = view.grant.status is GrantStatus.ACTIVE and await self.end(view, revocation)
        if not ended and not await self._brought_about(about, revocation.id):
            raise over

    async def end(self, view: RequestView, revocation: Revoke) -> bool:
        """End a grant; False if it is over. On record if its workflow has ended, was lost or can't be reached."""
        try:
            await self._client.revoke(revocation, view.token_run)
        except (NotFound, Unavailable):
            end = revocation.end(datetime.now(UTC))
            return await self._run(self._transactions.granting.end, end.model_copy(update={"run": view.token_run}))
        except Refused:
            return False
        return True

    async def _brought_about(self, approval_id: int, undo_id: str) -> bool:
        """Whether the request, or its grant, was ended by this same call when it was made before."""
        return bool(undo_id) and await self._run(self._requests.brought_about, approval_id, undo_id)

    async def _undo(self, kind: type[U], who: Principal, **fields: Any) -> U:
        name = (await self._run(self._requests.person, who.name)).name
        return kind.model_validate({"who": who.name, "name": name, **fields})

    async def _allowed(self, action: Action, approval_id: int, who: Principal) -> RequestView:
        """The request, if they may do this to it now; raises NotAllowed, NotFound."""
        who = as_of(await self._run(self._requests.policy), who)
        if not who.enabled:
            raise disabled()
        view = await self._run(self._requests.request, approval_id)
        if who.is_gateway:
            who = await self._with_asked(who, view)
        must_be_allowed(who, action, view)
        return view

    async def _with_asked(self, gateway: Principal, view: RequestView) -> Principal:
        """The gateway, with whether it joined this request, and whether it alone asked for it."""
        askers = await self._run(self._requests.joined_by, view.approval_id)
        this, name = frozenset({view.approval_id}), gateway.name
        alone = view.asked_by == name and askers <= {name}
        return replace(
            gateway, joined=this if name in askers else frozenset(), asked_alone=this if alone else frozenset()
        )
