"""One request for a device that somebody connects with."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from countersign.kinds.device import DEVICE
    from countersign.models import Outcome
    from workflows.approval import Approval


@workflow.defn(name=DEVICE.workflow)
class DeviceApproval(Approval):
    """An approval lets the device in, for as long as nobody blocks or revokes it; it opens no grant."""

    kind = DEVICE

    @workflow.run
    async def run(self, raw: object = None, *extra: object) -> Outcome:
        """Decide one question; `raw` is any JSON, so that a bad start fails at once instead of hanging."""
        return await self.decided(raw, extra)
