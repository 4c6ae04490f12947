"""The form behind "Approve with comment" and "Reject": opened at once, filled after, and taken when it is sent."""

from __future__ import annotations

import logging
from dataclasses import replace

from countersign.errors import Unavailable, Unreachable
from countersign.models import LONGEST_COMMENT, Status, Verdict, without_controls
from countersign.views import RequestView
from notifiers.base import Person
from notifiers.slack.api import SlackApi
from notifiers.slack.clicks import given
from notifiers.slack.desk import CHANNEL, Desk, Mend
from notifiers.slack.payload import Named, Pressed, Submitted, named
from notifiers.slack.people import TurnedAway
from notifiers.slack.talk import Talk
from notifiers.slack.views import answer_modal

COMMENT = "comment"
TOO_LATE = "Slack could not open the form in time. Please press the button again."
SAY_WHY = "Say why you reject: the requester and the record need a reason."
TOO_LONG = f"Use at most {LONGEST_COMMENT} characters."

log = logging.getLogger(__name__)


class Modals:
    """Answers with a comment; each method is handled within `Desk.serve`."""

    def __init__(self, desk: Desk, api: SlackApi) -> None:
        self._desk = desk
        self._api = api

    async def open(self, talk: Talk, wish: Pressed, verdict: Verdict) -> None:
        """Open the form while the trigger lasts, 3 seconds; then say in it what it is about, or why it can't be."""
        about = named(wish.button.value)
        await talk.received()
        loading = answer_modal(about, verdict)
        try:
            opened = await self._api.call("views.open", wish.user.id, trigger_id=wish.trigger_id, view=loading)
        except (Unavailable, Unreachable) as error:
            log.warning("no form for %s: %s", wish.user.id, error)
            await talk.say(TOO_LATE)
            return
        # From here on they look at the form, so whatever is said stands in it.
        talk.place = replace(talk.place, view_id=str(opened["view"]["id"]))
        person = await self._desk.who(talk)
        request = await self._desk.request(about.id, about.run)
        if why := why_not(request, about.level, verdict, person):
            raise TurnedAway(why, person)
        view = answer_modal(about, verdict, request)
        try:
            await self._api.call("views.update", wish.user.id, view_id=talk.place.view_id, view=view)
        except (Unavailable, Unreachable) as error:  # or they closed it meanwhile
            log.warning("the form of %s stays empty: %s", wish.user.id, error)
            await talk.say(TOO_LATE)

    async def answer(self, talk: Talk, wish: Submitted) -> Person:
        """Take the form: an answer with its comment."""
        person = await self._desk.who(talk)
        form = wish.metadata
        about = Named(form.id, form.level, form.run)
        comment = without_controls(wish.field(COMMENT))
        if len(comment) > LONGEST_COMMENT:
            raise Mend(COMMENT, TOO_LONG)
        if form.verdict is Verdict.REJECT and not comment:
            request = await self._desk.request(about.id, about.run)
            if request.rejection_needs_reason:
                raise Mend(COMMENT, SAY_WHY)
        answer = await self._desk.store(talk, given(wish, about, person, form.verdict, comment), about.run)
        await self._desk.judged(talk, answer)
        return person


def why_not(request: RequestView, level: int, verdict: Verdict, person: Person) -> str:
    """Why this person's answer could not count as things stand, or ""; judged again when it comes."""
    number = request.approval_id
    if request.status is not Status.WAITING:
        return f"#{number} is already {request.status}: {request.words}"
    if person.id not in {one.person for one in request.approvers if one.level == level}:
        return f"You are not asked about #{number}, so your answer can't count."
    if request.channels.get(CHANNEL, "decide") != "decide":
        return f"#{number} can't be decided in Slack; its policy wants another channel."
    if level != request.level:
        return f"#{number} has come to level {request.level}; this was about level {level}."
    mine = [one.verdict for one in request.decisions if (one.person, one.level) == (person.id, level)]
    return f"You approved #{number} already." if verdict in mine else ""
