"""Sends by Slack: posts a notification once, keeps its message up to date, and reports the outcome."""

import logging

from countersign.errors import Unreachable
from countersign.models import Event
from countersign.notifications import Notification, RequestNotification
from notifiers.slack.client.api import SlackApi
from notifiers.slack.config import SlackConfig
from notifiers.slack.outbound import posted_messages
from notifiers.slack.outbound.blocks import MOST_MENTIONED, OUTCOMES, Content, general, live, short
from notifiers.slack.outbound.recipients import Recipients

# Otherwise Slack would look for names and links in the text, and show previews of them.
NO_PREVIEWS = {"parse": "none", "link_names": False}

log = logging.getLogger(__name__)


class SlackSender:
    """Sends notifications as messages of the app, and changes them; close it when done.

    The reference of a message is `<channel id>/<ts>`; "" for one that is never changed.
    """

    def __init__(self, config: SlackConfig) -> None:
        self._config = config
        self._api = SlackApi(config)
        self._recipients = Recipients(self._api)

    async def send(self, notification: Notification) -> str:
        """Post it, unless it was posted before; returns the reference of the message that shows the request now.

        Raises Unreachable if this person or room can't be written to, and Unavailable for all that another try or
        a better configuration can mend.
        """
        if not isinstance(notification, RequestNotification):
            await self._post_anew(notification, "", general(notification, self._config))
            return ""
        if (
            notification.event in OUTCOMES
            and notification.live_message
            and notification.to.id != notification.requester.id
        ):
            return notification.live_message  # their own message changes to say it
        if notification.live_message and notification.event not in {Event.ASKED, Event.OPENED}:
            return await self._reply(notification)
        content = await self._shown(notification) if _is_live(notification) else short(notification, self._config)
        reference = await self._post_anew(notification, notification.room, content)
        return reference if _is_live(notification) else ""

    async def change(self, reference: str, notification: RequestNotification) -> bool:
        """Bring a message up to date; False if it is gone, or can't be changed any more. Raises Unavailable."""
        channel, _, ts = reference.partition("/")
        content = await self._shown(notification)
        about = f"the message about #{notification.approval_id}"
        try:
            await self._api.call(
                "chat.update", about, channel=channel, ts=ts, text=content.text, blocks=content.blocks, **NO_PREVIEWS
            )
        except Unreachable as error:
            log.info("the message %s shows #%s no more: %s", reference, notification.approval_id, error)
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def _reply(self, notification: RequestNotification) -> str:
        """Post it as a reply to the message that shows the request; by itself, if that was deleted."""
        channel, _, ts = notification.live_message.partition("/")
        content = short(notification, self._config)
        try:
            await self._post(notification, channel, content, ts)
        except Unreachable:
            await self._post(notification, channel, content)
        return notification.live_message

    async def _post_anew(self, notification: Notification, room: str, content: Content) -> str:
        """Post it in this room, or, if that is "", in the conversation with its person."""
        channel = room or await self._recipients.conversation(notification.to.email)
        try:
            return await self._post(notification, channel, content)
        except Unreachable:
            self._recipients.forget(notification.to.email)
            raise

    async def _post(self, notification: Notification, channel: str, content: Content, thread: str = "") -> str:
        """Post it, unless it was posted before; `thread` is the message that it answers."""
        if notification.again and (ts := await posted_messages.find(self._api, notification, channel, thread)):
            return f"{channel}/{ts}"
        about = notification.to.email or f"the room {channel}"
        answer = await self._api.call(
            "chat.postMessage",
            about,
            channel=channel,
            thread_ts=thread or None,
            text=content.text,
            blocks=content.blocks,
            metadata=posted_messages.mark(notification),
            unfurl_links=False,
            unfurl_media=False,
            **NO_PREVIEWS,
        )
        return f"{answer['channel']}/{answer['ts']}"

    async def _shown(self, notification: RequestNotification) -> Content:
        """The live message, with the people of a room mentioned; those not in Slack are named."""
        slack_ids: dict[str, str] = {}
        for person in notification.asked[:MOST_MENTIONED] if notification.room else ():
            try:
                slack_ids[person.id] = await self._recipients.user(person.email)
            except Unreachable:
                continue
        return live(notification, self._config, slack_ids)


def _is_live(notification: RequestNotification) -> bool:
    """Whether the notification's message goes on showing the request."""
    if notification.event in {Event.ASKED, Event.OPENED, Event.REMINDED}:
        return True
    return notification.event in OUTCOMES and notification.to.id == notification.requester.id
