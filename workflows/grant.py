"""The time-boxed permission of one approval: waits for its end or its revocation, and has everyone notified."""

import asyncio
from datetime import timedelta
from typing import NoReturn

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.requests import RequestActivities
    from countersign.error_codes import ErrorCode
    from countersign.errors import Refused
    from countersign.models import GrantStatus
    from countersign.transitions import GrantEnd, GrantTerms, Revoke, time_over
    from workflows.change import CANCELLED_IN_TEMPORAL, TEMPORAL
    from workflows.execute import execute


@workflow.defn(name="Grant")
class Grant:
    """Lasts as long as the permission. Update: `revoke`. The result is its final status.

    It is started with a delay until its end: only the server waits, and wakes it only for the end or an update.
    """

    def __init__(self) -> None:
        self._revoked_by: Revoke | None = None
        self._ended = False

    # --- messages ----------------------------------------------------------------------------------------------------

    @workflow.update(name="revoke")
    async def revoke(self, revocation: Revoke) -> None:
        """End the permission early; returns once that is on record, so that nobody who asks then finds it Active."""
        self._revoked_by = revocation
        await self._end(revocation.end(workflow.now()))

    @revoke.validator
    def may_revoke(self, revocation: Revoke) -> None:
        """Refuse what has ended already, and say so."""
        if self._ended or self._revoked_by is not None:
            _refuse(f"The grant of #{revocation.approval_id} is over already.", ErrorCode.GRANT_OVER, revocation)
        if workflow.info().workflow_id.split(":")[1] != str(revocation.approval_id):
            _refuse(
                f"#{revocation.approval_id} is not the grant that is open here.", ErrorCode.OTHER_REQUEST, revocation
            )

    # --- run ---------------------------------------------------------------------------------------------------------

    @workflow.run
    async def run(self, terms: GrantTerms) -> GrantStatus:
        """Wait for the end."""
        left = max(terms.ends_at - workflow.now(), timedelta(0))
        try:
            await workflow.wait_condition(
                lambda: self._revoked_by is not None, timeout=left, timeout_summary="the grant ends"
            )
        except asyncio.CancelledError:  # it was cancelled in Temporal itself
            await self._end_at_once(terms.approval_id)
        except TimeoutError:
            await self._end(time_over(terms.approval_id, workflow.now()))
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._revoked_by.status if self._revoked_by else GrantStatus.ENDED

    async def _end_at_once(self, approval_id: int) -> None:
        if self._revoked_by is None:
            self._revoked_by = Revoke(approval_id=approval_id, who=TEMPORAL, channel="", reason=CANCELLED_IN_TEMPORAL)
            end = GrantEnd(
                approval_id=approval_id,
                status=GrantStatus.REVOKED,
                at=workflow.now(),
                who=TEMPORAL,
                message=CANCELLED_IN_TEMPORAL,
            )
            await self._end(end)

    async def _end(self, end: GrantEnd) -> None:
        self._ended = True
        # Its number may be another request's by now, whose grant must not be ended.
        run = workflow.info().workflow_id.split(":")[2:]
        await execute(RequestActivities.end_grant, end.model_copy(update={"run": "".join(run)}))


def _refuse(message: str, code: ErrorCode, revocation: Revoke) -> NoReturn:
    details = Refused(message, code, approval_id=revocation.approval_id).details
    raise ApplicationError(message, details, type="Refused")
