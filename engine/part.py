"""What the parts of the engine that open transactions have in common."""

from store import Store


class EnginePart:
    """A part of the engine: each method is one transaction, unless it says otherwise."""

    def __init__(self, store: Store) -> None:
        self.database = store.database
        self.policies = store.policies
        self.live = store.live  # the channels whose messages are kept up to date
