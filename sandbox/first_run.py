"""What a first user needs before anything starts: a policy in force, and a token of its admin; both kept in var/."""

from dataclasses import dataclass
from pathlib import Path

from countersign.errors import Refused
from countersign.policy.channels import channels_on
from countersign.policy.file import load
from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from sandbox.slack_policy import with_slack
from store import Store
from store.file_permissions import write_for_us_alone
from store.listing import Wanted
from store.tokens import Owner

ADMIN = "ada"
WHO = "make up"


@dataclass(frozen=True)
class Installation:
    """What an installation holds at its start; `token_file` is set if it holds a valid token.

    `asks_in_slack`: whether its policy asks anybody in Slack.
    """

    has_policy: bool
    is_example: bool
    token_file: Path | None
    is_unused: bool
    asks_in_slack: bool = False


def prepare(database_url: str, example: str, token_file: Path, is_own: bool, has_slack: bool = False) -> Installation:
    """Bring the schema up to date, and add to an installation of ours what it lacks.

    With Slack, the example asks people there, too. Nothing is added to one that is not `is_own`: a real database gets
    its policy and tokens from its people. Raises Unavailable if the database can't be reached.
    """
    store = Store(database_url)
    try:
        if is_own and _policy(store) is None:
            apply_policy(store, with_slack(example) if has_slack else example, WHO)
        kept = _kept_token(store, token_file, may_make=is_own)
        policy = _policy(store)
        is_unused = policy is None or not store.reading.page(Wanted(limit=1))[0]
    finally:
        store.close()
    return Installation(
        has_policy=policy is not None,
        is_example=policy in (example, with_slack(example)),
        token_file=token_file if kept else None,
        is_unused=is_unused,
        asks_in_slack=policy is not None and "slack" in channels_on(load(policy)),
    )


def _policy(store: Store) -> str | None:
    try:
        return store.policies.text()[1]
    except Refused:
        return None


def _kept_token(store: Store, file: Path, may_make: bool) -> bool:
    """Whether the file holds a valid token; one is made if there has never been any, and not made again."""
    if may_make and not store.tokens.newest(1):
        token = TokenActions(store).create(Owner(kind="person", name=ADMIN, is_admin=True), WHO)
        write_for_us_alone(file, token + "\n")
    return file.exists() and store.tokens.find(file.read_text().strip()) is not None
