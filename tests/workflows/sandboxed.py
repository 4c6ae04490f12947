"""Temporal's sandbox, in which the tests run and replay all workflows: it tells of what would not replay."""

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

# The domain is pure and the same for all: loaded once, not again in each workflow's sandbox.
PASSED_THROUGH = ("countersign", "activities", "workflows")


def sandboxed() -> SandboxedWorkflowRunner:
    """The sandbox."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))
