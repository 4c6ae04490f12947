"""Temporal's sandbox, in which the tests run and replay all workflows: it reports what would not replay."""

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

# The domain is pure and the same for all, so it is loaded once, and not in each workflow's sandbox.
PASSED_THROUGH = ("countersign", "activities", "workflows")


def sandboxed() -> SandboxedWorkflowRunner:
    """The sandbox."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))
