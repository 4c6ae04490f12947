"""`make demo`: the story from request to grant, on real servers, with real mail. Ends with 0 if all of it happened."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from sandbox.arguments import parser
from sandbox.demo import device_scene, page_scenes, slack_scenes, ssh_scene
from sandbox.demo.processes import ROOT
from sandbox.demo.scenes import SCENES, Play, Scene, nobody_answers, too_late
from sandbox.demo.screen import SceneResult, Screen, plain_where_needed
from sandbox.demo.stage import stage
from sandbox.demo.steps import StepFailed, must
from sandbox.temporal_tool import NoTemporal

POLICY = ROOT / "examples" / "policy.yaml"
# Lets a person at a terminal read along; the last scene waits for its minute to pass anyway.
PAUSE_SECONDS = 3.0
INTERRUPTED = 130
NEXT = "Nothing is left running. To play with it yourself: make up"


class Story:
    """Plays scene after scene, and knows which one it is at."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.at = "Before the first scene"
        self.results: list[SceneResult] = []
        self.logs: dict[str, str] = {}

    async def tell(self, policy: str) -> None:
        """Tell the whole story; raises StepFailed if something does not happen."""
        started = time.monotonic()
        self.screen.opening("Real requests, real mail, a real Temporal server; about a minute. Times are UTC.")
        async with stage(policy, self.screen.say) as everything:
            try:
                with self.screen.waiting() as waiting:
                    waiting.tell("starting the worker")
                    await everything.worker.start()
                await self._play(Play(everything, self.screen))
            except BaseException:
                programs = (everything.worker, everything.portal)
                self.logs = {each.name: log for each in programs if (log := each.end_of_log())}
                raise
            rows, mails = everything.store.events.last_version(), everything.mail.delivered
            slack = everything.slack
            posted = f"{len(slack.calls_of('chat.postMessage'))} messages in Slack" if slack else "Slack left out"
        counts = f"{rows} rows of record, {mails} mails, {posted}"
        counts += f", {time.monotonic() - started:.0f} seconds"
        self.screen.closing(self.results, f"All of it happened: {counts}.\n{NEXT}")

    async def _play(self, play: Play) -> None:
        self._begin(
            "A question that nobody will answer",
            "Nobody waits long in front of a bastion: the policy lets a request for one expire after a minute. "
            "Meanwhile, the other scenes.",
        )
        unanswered = await nobody_answers(play)
        await self._play_all(play, SCENES)
        self._begin(*page_scenes.OPENING)
        await page_scenes.open_portal(play)
        await self._play_all(play, page_scenes.SCENES)
        self._begin(*device_scene.OPENING)
        await self._play_all(play, device_scene.SCENES)
        if play.stage.slack:
            self._begin(*slack_scenes.OPENING)
            await slack_scenes.into_slack(play)
            await self._play_all(play, slack_scenes.SCENES)
        await self._play_all(play, ssh_scene.scenes(self.screen.say))
        last = f"{len(self.results) + 1}. Too late"
        self._begin(last, f"Back to {unanswered.number}, which Ivan never answered.")
        self.results.append((await too_late(play, unanswered))._replace(scene=last))
        self.at = "After the last scene"
        await _mails_match_record(play)

    async def _play_all(self, play: Play, scenes: Sequence[tuple[str, str, Scene]]) -> None:
        for title, text, scene in scenes:
            numbered = f"{len(self.results) + 1}. {title}"
            self._begin(numbered, text)
            self.results.append((await scene(play))._replace(scene=numbered))
            if self.screen.is_terminal:
                await asyncio.sleep(PAUSE_SECONDS)

    def _begin(self, heading: str, text: str) -> None:
        self.at = heading
        self.screen.scene(heading, text)


async def _mails_match_record(play: Play) -> None:
    """Check that everybody got the mails that the record says were sent, and no others."""
    for request in play.requests:
        request.nothing_new()
    noticed = [line for line in play.stage.store.events.since(0) if (line.kind, line.channel) == ("noticed", "email")]
    for name in sorted({line.who for line in noticed}):
        mails = await asyncio.to_thread(play.stage.person(name).inbox)
        got = sum(str(mail["Auto-Submitted"]) == "auto-generated" for mail in mails)
        wanted = sum(line.who == name for line in noticed)
        must(got == wanted, f"{name} got {got} mails, and the record says {wanted}")


def main() -> None:
    """The command line: `python -m sandbox.demo`."""
    options = parser("sandbox.demo", __doc__)
    options.add_argument("--policy", type=Path, default=POLICY, help="a policy with the same people and devices")
    given = options.parse_args()
    try:
        policy = given.policy.read_text()
    except OSError as problem:
        options.error(f"{given.policy}: {problem.strerror}")
    plain_where_needed()
    sys.exit(asyncio.run(_until_signal(policy)))


async def _until_signal(policy: str) -> int:
    """Tell the story; SIGINT, SIGTERM and SIGHUP end it early, with everything it started."""
    story = Story(Screen())
    telling = asyncio.create_task(story.tell(policy))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, _end_early, telling)
    await asyncio.wait([telling])
    # Checked first: a call that is cut off may say that Temporal did not answer.
    if telling.cancelling():
        story.screen.say("Ended early; nothing is left running.")
        return INTERRUPTED
    problem = telling.exception()
    if problem is None:
        return 0
    if isinstance(problem, StepFailed | NoTemporal):
        story.screen.failure(story.at, str(problem), story.logs)
        return 1
    story.screen.failure(story.at, f"{type(problem).__name__}, which the demo did not expect", story.logs)
    raise problem


def _end_early(telling: asyncio.Task[None]) -> None:
    # Once: another Ctrl-C would cut off the cleaning up.
    if not telling.cancelling():
        # The calls that are cut off would fill the screen.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        telling.cancel()


if __name__ == "__main__":
    main()
