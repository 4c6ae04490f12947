"""What the story runs on: Temporal, mail, Slack if it can be had, a database, and our programs as processes."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from countersign.client import Client
from countersign.http import Api
from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from sandbox.demo.namespace import own_namespace
from sandbox.demo.processes import Process, portal, worker
from sandbox.demo.steps import StepFailed, step
from sandbox.demo.workspace import new_slack, slack_settings
from sandbox.mail_server import MailServer
from sandbox.mail_settings import mail_settings, new_mail_keys
from sandbox.people import Person
from sandbox.slack.server import SlackServer
from sandbox.slack.tool import NoSlack
from sandbox.temporal_server import HOST, TemporalServer, free_port
from sandbox.temporal_tool import Say
from store import Store
from store.tokens import Owner

ADMIN = "ada"


@dataclass(frozen=True)
class Stage:
    """All that runs, and how to reach it; `slack` is None if there is none."""

    policy: str
    client: Client
    store: Store
    mail: MailServer
    slack: SlackServer | None
    worker: Process
    portal: Process
    portal_url: str

    def person(self, name: str) -> Person:
        """Somebody of the policy, at their mailbox."""
        return Person(name, self.mail.smtp_port, self.mail.imap_port)

    def api(self, name: str) -> Api:
        """The portal's API, with a token of somebody of the policy."""
        return Api(self.portal_url, TokenActions(self.store).create(Owner(kind="person", name=name), "demo"))

    def apply(self, policy: str) -> None:
        """Put a policy in force; raises StepFailed."""
        with step("the policy is applied"):
            apply_policy(self.store, policy, ADMIN)


@asynccontextmanager
async def stage(policy: str, say: Say) -> AsyncIterator[Stage]:
    """Start everything in a folder that is thrown away, and stop it again; our programs are not started yet."""
    with tempfile.TemporaryDirectory(prefix="countersign-demo-") as name:
        async with (
            own_namespace() as namespace,
            TemporalServer(namespace=namespace, say=say) as temporal,
            MailServer() as mail,
            slack_if_any(say) as slack,
        ):
            folder, portal_port = Path(name), free_port()
            portal_url = f"http://{HOST}:{portal_port}"
            settings = {
                "COUNTERSIGN_PORTAL_PORT": str(portal_port),
                "COUNTERSIGN_PUBLIC_URL": portal_url,
                "COUNTERSIGN_DATABASE_URL": f"sqlite:///{name}/countersign.db",
                "TEMPORAL_ADDRESS": temporal.address,
                "TEMPORAL_NAMESPACE": namespace,
                **mail_settings(mail.smtp_port, mail.imap_port, new_mail_keys()),
                **(slack_settings(slack) if slack else {}),
            }
            store = Store(settings["COUNTERSIGN_DATABASE_URL"])
            programs = worker(settings, folder), portal(settings, folder)
            try:
                with step("the client connects to Temporal"):
                    client = await Client.connect(temporal.address, namespace)
                found = Stage(policy, client, store, mail, slack, *programs, portal_url)
                found.apply(policy)
                yield found
            finally:
                for program in programs:
                    await program.stop()
                store.close()


@asynccontextmanager
async def slack_if_any(say: Say) -> AsyncIterator[SlackServer | None]:
    """A Slack for as long as the block lasts; None, with a message that says why, if none can be had here."""
    async with AsyncExitStack() as stack:
        found = None
        try:
            found = await stack.enter_async_context(new_slack(say))
        except NoSlack as reason:
            say(f"The scenes in Slack are left out. {reason}")
        except RuntimeError as problem:
            raise StepFailed(f"Slack starts: {problem}") from problem
        yield found
