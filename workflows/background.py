"""Work that never ends. A fixed workflow id and one heartbeating activity let each kind run only once at a time."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

# A worker without a heartbeat for this long counts as dead; another resumes.
HEARTBEAT = timedelta(seconds=5)
FOR_EVER = timedelta(days=3650)
# The same interval for all restarts: it must not grow with the number of workers that came and went.
RESUME = RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=1.0)


@workflow.defn(name="StandingWork")
class BackgroundWork:
    """Keeps one activity running for ever; the id is `standing:<activity>`."""

    @workflow.update(name="clock")
    def clock(self) -> None:
        """The server's time, as the message of a refusal, since a refused update leaves nothing in the history."""

    @clock.validator
    def tell_time(self) -> None:
        """Refuse it with this task's time, which the server has just set."""
        raise ApplicationError(workflow.now().isoformat(), type="Time", non_retryable=True)

    @workflow.run
    async def run(self, activity_name: str) -> None:
        """Run the activity of this name on any worker, and again on another one when its worker stops."""
        while not workflow.info().is_continue_as_new_suggested():
            await workflow.execute_activity(
                activity_name,
                start_to_close_timeout=FOR_EVER,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=RESUME,
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                summary="runs for ever, on one worker at a time",
            )
        workflow.continue_as_new(activity_name)
