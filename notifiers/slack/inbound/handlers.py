"""Which of our functions takes which button, form, command and event."""

from functools import partial

from countersign.errors import CountersignError
from countersign.models import Verdict
from countersign.notifications import Person
from notifiers.slack.client.api import SlackApi
from notifiers.slack.inbound.buttons import Buttons
from notifiers.slack.inbound.connect_command import Asking
from notifiers.slack.inbound.dispatcher import Dispatcher, Handler
from notifiers.slack.inbound.interaction import Interaction
from notifiers.slack.inbound.modals import Modals
from notifiers.slack.inbound.payload_parts import Malformed
from notifiers.slack.inbound.payloads import Command, Delivery, Opened, Pressed, Shortcut, Submitted
from notifiers.slack.inbound.people import TurnedAway

COMMAND = "/connect"
SHORTCUT = "connect"


class Handlers:
    """What is done with each delivery, by the name that it bears."""

    def __init__(self, dispatcher: Dispatcher, api: SlackApi) -> None:
        buttons, modals, asking = Buttons(dispatcher), Modals(dispatcher, api), Asking(dispatcher, api)
        self._dispatcher = dispatcher
        self._buttons: dict[str, Handler] = {
            "approve": buttons.approve,
            "approve_with_comment": partial(modals.open, verdict=Verdict.APPROVE),
            "reject": partial(modals.open, verdict=Verdict.REJECT),
            "cancel": buttons.cancel,
            "revoke": buttons.revoke,
            "give_back": buttons.give_back,
            "open": _followed,
        }
        self._forms: dict[str, Handler] = {"answer": modals.answer, "connect": asking.filled_in}
        self._commands: dict[str, Handler] = {COMMAND: asking.typed}
        self._shortcuts: dict[str, Handler] = {SHORTCUT: asking.chosen}

    def of(self, delivery: Delivery) -> Handler:
        """The function that takes this delivery."""
        match delivery:
            case Pressed():
                return self._buttons.get(delivery.button.action_id, _unknown)
            case Submitted():
                return self._forms.get(delivery.view.callback_id, _unknown)
            case Command():
                return self._commands.get(delivery.command, _unknown)
            case Shortcut():
                return self._shortcuts.get(delivery.callback_id, _unknown)
            case Opened():
                return self._opened

    async def _opened(self, interaction: Interaction, delivery: Opened) -> Person | None:
        """Somebody looks at our Home page, which is then shown; or why it is empty."""
        await interaction.received()
        if delivery.event.tab != "home":
            return None
        try:
            return await self._dispatcher.who(interaction)
        except (TurnedAway, CountersignError) as error:
            await self._dispatcher.home.say(delivery.event.user, str(error))
            return None


async def _followed(interaction: Interaction, delivery: Pressed) -> None:
    """A button that is a link: the browser has opened it, and Slack tells us all the same."""
    await interaction.received()


async def _unknown(interaction: Interaction, delivery: Delivery) -> None:
    """A button, form or command that we never made, or make no more."""
    raise Malformed("nothing of ours has this name")
