"""What people of the story see and do in Slack: waited for, checked, and drawn as it was."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sandbox.demo.blocks import buttons_of, drawn, modal, text_of, texts_of
from sandbox.demo.screen import Screen
from sandbox.demo.steps import StepFailed, must, step
from sandbox.demo.workspace import PEOPLE, ROOM, ROOM_NAME, STRANGER, user_id
from sandbox.slack import people
from sandbox.slack.server import SlackServer
from sandbox.slack.workspace import Json

# A message that Slack doesn't accept at once is left for the worker's sweeper, which comes after ten seconds.
SECONDS = 30
POLL_SECONDS = 0.05
ANSWERS = ("approve", "approve_with_comment", "reject")
OTHERS = {"give_back", "open"}
NAMES = {user_id(one): one.capitalize() for one in (*PEOPLE, STRANGER)}

T = TypeVar("T")


class Chat:
    """Slack, as people see it. Raises StepFailed, which names what didn't come in time."""

    def __init__(self, slack: SlackServer, screen: Screen) -> None:
        self.slack = slack
        self.screen = screen

    async def connect(self, person: str, text: str) -> int:
        """Type a `/connect` that opens a request; returns its number, which only this person is told."""
        typed = f"types /connect {text}"
        self.screen.does("slack", person.capitalize(), typed)
        with step(f"{person.capitalize()} {typed}"):
            await people.command(self.slack, "/connect", text, user_id(person))
        number = re.search(r"#(\d+)", await self.ephemeral(person, "is open"))
        assert number
        return int(number[1])

    async def ephemeral(self, person: str, wanted: str) -> str:
        """What only this person is shown, once it holds `wanted`."""

        async def look() -> str:
            seen = await people.ephemerals(self.slack, user_id(person))
            texts = [text_of({"type": "mrkdwn", "text": one["text"]}, NAMES).plain for one in seen]
            return next((text for text in reversed(texts) if wanted in text), "")

        shown = await self._until(look, f"tells {person.capitalize()} alone “{wanted}”")
        self.screen.does("slack", person.capitalize(), f"alone is told: “{shown}”")
        return shown

    async def message(self, place: str, number: int, *text: str, buttons: tuple[str, ...] = ()) -> Json:
        """The one message about a request to a person or in the room, once it says this and has these buttons."""

        async def look() -> Json | None:
            channel = place if place == ROOM else await people.dm_of(self.slack, user_id(place))
            found = [one for one in await people.messages(self.slack, channel) if _is_about(number, one)]
            must(len(found) < 2, f"Slack shows {_place(place)} two messages about #{number}")
            return next((one for one in found if _shows(one, text, buttons)), None)

        texts = " and ".join(f"“{one}”" for one in text)
        what = f"shows {_place(place)} about #{number} {texts} with the buttons {', '.join(buttons) or 'none'}"
        found = await self._until(look, what)
        assert found
        return found

    async def settled(self, number: int, text: str, *whom: str) -> None:
        """Wait until all these people's messages say this, and can't be answered any more."""
        for person in whom:
            await self.message(person, number, text)
        names = ", ".join(map(_place, whom))
        self.screen.aside(f"Every message about #{number} says “{text}” now, and can no longer be answered: {names}.")

    def draw(self, place: str, message: Json) -> None:
        """Show a message."""
        self.screen.in_slack(f"to {_place(place)}", drawn(message["blocks"], NAMES, {}))

    async def press(self, message: Json, action: str, person: str) -> None:
        """Press a button of a message, and confirm if it asks."""
        self._pressed(message, action, person)
        with step(f"{person.capitalize()} presses {action}"):
            await people.click(self.slack, message, action, user_id(person))

    async def fill_in(self, person: str, comment: str) -> None:
        """Write the comment into the form that is open, and send it."""

        async def look() -> Json | None:
            view = people.open_modal_of(self.slack, user_id(person))
            return view if view and any(block["type"] == "input" for block in view["blocks"]) else None

        name = person.capitalize()
        view = await self._until(look, f"shows {name} a form")
        assert view
        self.screen.in_slack(f"{name}'s form, “{view['title']['text']}”", modal(view, NAMES, {"comment": comment}))
        with step(f"{name} sends the form"):
            await people.submit(self.slack, {"comment": comment}, user_id(person))

    async def home(self, person: str, is_right: Callable[[Json], bool]) -> Json:
        """Open the app's Home page of a person, and wait until it is right."""
        with step(f"{person.capitalize()} opens the app's Home page"):
            await people.open_home(self.slack, user_id(person))
        return await self.home_becomes(person, is_right)

    async def home_becomes(self, person: str, is_right: Callable[[Json], bool]) -> Json:
        """The Home page that this person sees, once it is right."""

        async def look() -> Json | None:
            view = people.home_of(self.slack, user_id(person))
            return view if view and is_right(view) else None

        view = await self._until(look, f"shows {person.capitalize()} the Home page that it should")
        assert view
        return view

    def draw_home(self, person: str, view: Json) -> None:
        """Show a Home page."""
        self.screen.in_slack(f"{person.capitalize()}'s Home page", drawn(view["blocks"], NAMES, {}))

    async def press_at_home(self, view: Json, action: str, value: str, person: str) -> None:
        """Press the button with that value, and confirm if it asks."""
        self._pressed(view, action, person, value)
        with step(f"{person.capitalize()} presses {action} on the Home page"):
            await people.click_in_view(self.slack, view, action, user_id(person), value)

    def _pressed(self, shown: Json, action: str, person: str, value: str = "") -> None:
        alike = [one for one in buttons_of(shown["blocks"]) if one["action_id"] == action]
        pressed = next((one for one in alike if value in ("", one["value"])), None)
        if pressed is None:
            raise StepFailed(f"{person.capitalize()} has no button “{action}” to press")
        text = f"presses [ {pressed['text']['text']} ]"
        if sure := pressed.get("confirm"):
            asked = " ".join(text_of(sure[part], NAMES).plain for part in ("title", "text"))
            text += f" and confirms “{asked}”"
        self.screen.does("slack", person.capitalize(), text)

    async def _until(self, look: Callable[[], Awaitable[T]], what: str) -> T:
        deadline = time.monotonic() + SECONDS
        with self.screen.waiting() as waiting:
            while not (seen := await look()):
                if time.monotonic() > deadline:
                    raise StepFailed(f"Slack never {what}")
                waiting.tell(f"waiting until Slack {what}")
                await asyncio.sleep(POLL_SECONDS)
        return seen


def _place(place: str) -> str:
    return ROOM_NAME if place == ROOM else place.capitalize()


def _is_about(number: int, message: Json) -> bool:
    """Whether it is a message about the request, and not a reply below one."""
    is_reply = message.get("thread_ts", message["ts"]) != message["ts"]
    return not is_reply and f"#{number}" in texts_of(message.get("blocks"), NAMES)


def _shows(message: Json, text: tuple[str, ...], buttons: tuple[str, ...]) -> bool:
    shown = texts_of(message["blocks"], NAMES)
    # A grant can be given back, and a page can be opened: neither button answers the request.
    has = tuple(one["action_id"] for one in buttons_of(message["blocks"]) if one["action_id"] not in OTHERS)
    return has == buttons and all(one in shown for one in text)
