"""One request for a connection."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from countersign.kinds.connection import CONNECTION
    from countersign.models import Outcome
    from workflows.approval import Approval


@workflow.defn(name=CONNECTION.workflow)
class ConnectionApproval(Approval):
    """An approval opens a grant, which lasts from then on."""

    kind = CONNECTION

    @workflow.run
    async def run(self, raw: object = None, *extra: object) -> Outcome:
        """Decide one question; `raw` is any JSON, so that a bad start fails at once instead of hanging."""
        return await self.decided(raw, extra)
