"""The way out by Slack: post a notice once, keep its message up to date, and say plainly what became of it."""

from __future__ import annotations

import logging
from typing import NamedTuple

from countersign.errors import Unreachable
from countersign.models import Event
from countersign.notifications import Notification, RequestNotification
from notifiers.slack.client.api import SlackApi
from notifiers.slack.config import SlackConfig
from notifiers.slack.outbound.blocks import MOST_MENTIONED, OUTCOMES, Content, general, live, short
from notifiers.slack.outbound.posted_messages import PostedMessages
from notifiers.slack.outbound.recipients import Recipients

# Slack would look for names and links of its own in the text, and show what is behind them.
QUIET = {"parse": "none", "link_names": False}

log = logging.getLogger(__name__)


class Place(NamedTuple):
    """Where a message stands, or is to stand; `thread` is the message it answers."""

    channel: str
    thread: str = ""


class SlackNotifier:
    """Sends notices as messages of the app, and changes them; close it when done.

    The reference of a message is `<channel id>/<ts>`; "" that of one that is never changed.
    """

    def __init__(self, config: SlackConfig) -> None:
        self._config = config
        self._api = SlackApi(config)
        self._recipients = Recipients(self._api)
        self._posted = PostedMessages(self._api)

    async def send(self, notice: Notification) -> str:
        """Post it, unless it was posted before; returns the reference of the message that shows the request now.

        Raises Unreachable where this person or room can't be written to, and Unavailable for all that another try or
        a better configuration can mend.
        """
        if not isinstance(notice, RequestNotification):
            await self._post_anew(notice, "", general(notice, self._config))
            return ""
        if notice.event in OUTCOMES and notice.holds and notice.to.id != notice.requester.id:
            return notice.holds  # their own message changes, and says it
        if notice.holds and notice.event not in {Event.ASKED, Event.OPENED}:
            return await self._reply(notice)
        content = await self._shown(notice) if _is_live(notice) else short(notice, self._config)
        reference = await self._post_anew(notice, notice.room, content)
        return reference if _is_live(notice) else ""

    async def change(self, reference: str, notice: RequestNotification) -> bool:
        """Bring a message up to date; False where it is gone, or can't be changed any more. Raises Unavailable."""
        channel, _, ts = reference.partition("/")
        content = await self._shown(notice)
        about = f"the message about #{notice.approval_id}"
        try:
            await self._api.call(
                "chat.update", about, channel=channel, ts=ts, text=content.text, blocks=content.blocks, **QUIET
            )
        except Unreachable as error:
            log.info("the message %s shows #%s no more: %s", reference, notice.approval_id, error)
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def _reply(self, notice: RequestNotification) -> str:
        """Say it below the message that shows the request; beside it, where that was deleted."""
        channel, _, ts = notice.holds.partition("/")
        content = short(notice, self._config)
        try:
            await self._post(notice, Place(channel, ts), content)
        except Unreachable:
            await self._post(notice, Place(channel), content)
        return notice.holds

    async def _post_anew(self, notice: Notification, room: str, content: Content) -> str:
        """Post it in this room, or where that is "", in the conversation with its person."""
        channel = room or await self._recipients.conversation(notice.to.email)
        try:
            return await self._post(notice, Place(channel), content)
        except Unreachable:
            self._recipients.forget(notice.to.email)
            raise

    async def _post(self, notice: Notification, place: Place, content: Content) -> str:
        if notice.again and (ts := await self._posted.find(notice, place.channel, place.thread)):
            return f"{place.channel}/{ts}"
        about = notice.to.email or f"the room {place.channel}"
        answer = await self._api.call(
            "chat.postMessage",
            about,
            channel=place.channel,
            thread_ts=place.thread or None,
            text=content.text,
            blocks=content.blocks,
            metadata=PostedMessages.mark(notice),
            unfurl_links=False,
            unfurl_media=False,
            **QUIET,
        )
        return f"{answer['channel']}/{answer['ts']}"

    async def _shown(self, notice: RequestNotification) -> Content:
        """The live message, with the people of a room mentioned; who is not in Slack is named."""
        slack_ids: dict[str, str] = {}
        for person in notice.asked[:MOST_MENTIONED] if notice.room else ():
            try:
                slack_ids[person.id] = await self._recipients.user(person.email)
            except Unreachable:
                continue
        return live(notice, self._config, slack_ids)


def _is_live(notice: RequestNotification) -> bool:
    """Whether the notice's message goes on showing the request."""
    if notice.event in {Event.ASKED, Event.OPENED, Event.REMINDED}:
        return True
    return notice.event in OUTCOMES and notice.to.id == notice.requester.id
