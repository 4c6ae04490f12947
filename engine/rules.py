"""What the parts of the engine that open transactions have in common."""

from store import Store


class Rules:
    """Rules that are applied to the store: each method is one transaction, or two where it says so."""

    def __init__(self, store: Store) -> None:
        self.database = store.database
        self.policies = store.policies
        self.live = store.live  # the channels whose messages are kept up to date
