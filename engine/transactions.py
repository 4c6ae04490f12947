"""The transactions of the engine."""

from engine.answers import Answers
from engine.asking import Asking
from engine.deadline import Deadline
from engine.devices.actions import DeviceActions
from engine.devices.registering import Registering
from engine.granting import Granting
from engine.opening import Opener
from engine.people import People
from engine.rechecks import Rechecks
from engine.rejected_input import RejectedInputs
from engine.signals import Signals
from engine.transitions import Transitions
from store import Store


class Transactions:
    """The parts of the engine that need the database alone: each of their methods is a transaction.

    `most_an_hour` is how many requests may be opened for one person within an hour, 0 for any number.
    """

    def __init__(self, store: Store, most_an_hour: int = 0) -> None:
        self.transitions = Transitions(store)
        self.granting = Granting(store)
        self.opener = Opener(store, self.transitions, self.granting, most_an_hour)
        self.asking = Asking(store, self.granting)
        self.people = People(store)
        self.answers = Answers(store)
        self.rejected_inputs = RejectedInputs(store)
        self.deadline = Deadline(store)
        self.signals = Signals(store)
        self.rechecks = Rechecks(store)
        self.device_actions = DeviceActions(store)
        self.registering = Registering(store)
