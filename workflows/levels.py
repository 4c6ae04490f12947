"""How an open request goes from level to level, until it is settled or its time is over."""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.requests import RequestActivities
    from countersign.models import Event
    from countersign.transitions import ENGINE, DeadlineCheck, LevelStart, Recipient
    from workflows.change import BallotChange
    from workflows.execute import execute
    from workflows.open_request import OpenRequest

# How often an expiry that waits for inboxes checks again: at first, and after it has waited for long.
CHECK_AGAIN = timedelta(seconds=1)
CHECK_SELDOM = timedelta(seconds=10)
LONG = timedelta(seconds=90)


class Levels:
    """The levels of one request."""

    def __init__(self, request: OpenRequest) -> None:
        self._request, self._ballot = request, request.ballot
        self._deadline_seen_at: datetime | None = None  # for the first time
        self._waited = timedelta(0)  # for inboxes

    async def pass_all(self) -> None:
        """Start level after level, and return once the request is settled."""
        route, nobody_at = self._request.opened.route, self._request.opened.nobody_at
        if not route.levels:
            self._ballot.approve_at_once(f"Approved at once: {route.because}.")
            await self._request.change(BallotChange())
        elif nobody_at:
            self._ballot.give_up(nobody_at)
            await self._request.change(BallotChange())
        await self._request.until_written()
        while not self._ballot.settled:
            if workflow.now() >= self._ballot.deadline:
                await self._at_deadline()
            elif self._ballot.level_passed:
                await self._next_level()
            else:
                await self._wait()
            await self._request.until_written()

    async def _next_level(self, started_in_time: bool = False) -> None:
        """Start the next level; after the deadline, only one that by the record had started before it."""
        request, ballot, opened = self._request, self._ballot, self._request.opened
        people = opened.people if ballot.level == 0 else None
        if people is None:
            start = LevelStart(**request.named, level=ballot.level + 1)
            with request.must_be_found():
                people = await execute(RequestActivities.people, start)
            await request.until_written()
            if ballot.settled or (workflow.now() >= ballot.deadline and not started_in_time):
                return
        before = len(ballot.decisions)
        asked = ballot.start_level(people, min(request.now, ballot.deadline) if started_in_time else request.now)
        request.remind_at = workflow.now() + opened.remind_after if opened.remind_after else None
        own = ballot.decisions[-1] if len(ballot.decisions) > before else None
        events = [request.event("level_started", ENGINE, f"level {ballot.level} of {len(ballot.levels)}")]
        if own is not None:
            events.append(request.event("answered", own.person, own.comment, own.channel))
        await request.change(BallotChange(events, asked, own))

    async def _wait(self) -> None:
        ballot, remind_at = self._ballot, self._request.remind_at
        wake = min(ballot.deadline, remind_at or ballot.deadline)
        try:
            await workflow.wait_condition(
                lambda: ballot.settled or ballot.level_passed,
                timeout=max(wake - workflow.now(), timedelta(0)),
                timeout_summary="the reminder" if wake < ballot.deadline else "the request expires",
            )
        except TimeoutError:
            if self._request.remind_at and workflow.now() >= self._request.remind_at:
                await self._remind()

    async def _remind(self) -> None:
        request = self._request
        if request.opened.in_turn:
            await request.until_written()
            if self._ballot.settled or self._ballot.level_passed:
                return
        request.remind_at = None
        awaited = self._ballot.awaited
        event = request.event("reminder_due", ENGINE, ", ".join(awaited))
        recipients = [Recipient(event=Event.REMINDED, person=person) for person in awaited]
        await request.change(BallotChange([event], recipients=recipients))

    async def _at_deadline(self) -> None:
        """Judge answers that came in time and were not judged; then expire (rule 5)."""
        request, ballot = self._request, self._ballot
        self._deadline_seen_at = self._deadline_seen_at or workflow.now()
        check = DeadlineCheck(
            **request.named, deadline=ballot.deadline, looked_at=self._deadline_seen_at, waited=self._waited
        )
        with request.must_be_found():
            last = await execute(RequestActivities.timely_answers, check)
        for answer in last.answers:
            while ballot.level < last.level and ballot.level_passed and not ballot.settled:
                await self._next_level(started_in_time=True)
            await request.until_written()
            if not ballot.counted(answer) and not ballot.judge(answer):
                await request.count(answer)
        await request.until_written()
        if ballot.settled:
            return
        if last.complete:
            ballot.expire()
            await request.change(BallotChange())
        else:
            pause = CHECK_AGAIN if self._waited < LONG else CHECK_SELDOM
            await workflow.sleep(pause, summary="every inbox is read up to the deadline")
            self._waited += pause
