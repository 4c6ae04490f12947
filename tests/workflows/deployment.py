"""A whole engine for tests: the real worker on a real Temporal server, a database and a mail server of its own."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from google.protobuf.duration_pb2 import Duration
from pydantic import SecretStr
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollWorkflowTaskQueueRequest, RegisterNamespaceRequest
from temporalio.client import Client as TemporalClient
from temporalio.service import RPCError

import worker
from countersign.client import Client
from countersign.directory import Policy
from countersign.errors import Refused, Unavailable
from countersign.kinds.connection import ConnectionQuestion
from countersign.models import Answer, Asked, Judgement, Outcome, Question, Scope, Status, Verdict
from countersign.notifications import SubmittedAnswer
from countersign.permissions import Principal
from engine.engine import Engine
from engine.notifications.outbox import Outbox
from engine.policy import ReadPolicy, apply_policy, put_in_force
from engine.transactions import Transactions
from notifiers.email.read_settings import email_config
from notifiers.email.send import EmailSender
from sandbox.mail_server import ENGINE, HOST, PASSWORD, MailServer
from sandbox.people import Person
from sandbox.temporal_namespace import RETENTION, add_search_attributes
from settings import Settings
from store import Store
from tests.temporal_servers import SERVERS
from tests.workflows.people import Devices, policy
from tests.workflows.sandboxed import sandboxed

T = TypeVar("T")

WAIT_SECONDS = 120.0
POLL_SECONDS = 0.05
NOBODY = "nobody"  # a task queue without a worker
MAIL_KEYS = "a1:" + "k" * 40
# A mail's Message-ID contains its kind.
EVENT = re.compile(r"\.(opened|asked|reminded|settled|grant_ended|answer_refused|inquiry|comment)\.")


async def until(condition: Callable[[], object], what: str = "", seconds: float = WAIT_SECONDS) -> None:
    """Poll until the condition holds; fail after this many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it never came to pass: {what or condition}"
        await asyncio.sleep(POLL_SECONDS)


async def until_after(moment: datetime) -> None:
    """Wait until a moment has passed."""
    await until(lambda: datetime.now(UTC) > moment, f"{moment} passes")


async def new_namespace(address: str) -> str:
    """A namespace that no other engine uses, so that workflow ids and the numbers of grants can be used again.

    A development server whose database was interrupted by a caller that left may no longer answer anybody, or may lose
    tasks. A server in which no namespace can be used is restarted.
    """
    try:
        return await _usable_namespace(address)
    except (RPCError, TimeoutError):
        if address not in SERVERS:
            raise
    await SERVERS[address].restart()
    return await _usable_namespace(address)


async def _usable_namespace(address: str) -> str:
    name = f"test-{uuid.uuid4().hex[:8]}"
    async with asyncio.timeout(WAIT_SECONDS):
        client = await TemporalClient.connect(address, namespace=name)
        kept = Duration()
        kept.FromTimedelta(RETENTION)
        await client.workflow_service.register_namespace(
            RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=kept),
        )
        await add_search_attributes(client)
        await _until_it_hands_out_tasks(client)
    return name


async def _until_it_hands_out_tasks(client: TemporalClient) -> None:
    """Wait until a workflow can be started in the namespace, and its task fetched as by a worker."""
    queue = PollWorkflowTaskQueueRequest(namespace=client.namespace, task_queue=TaskQueue(name=NOBODY))
    while True:
        with suppress(RPCError):
            begun = await client.start_workflow("Nobody", id=uuid.uuid4().hex, task_queue=NOBODY)
            task = await client.workflow_service.poll_workflow_task_queue(queue)
            await begun.terminate()
            if task.task_token:
                return
        await asyncio.sleep(POLL_SECONDS)


def settings_for(database_url: str, address: str, namespace: str, mail: MailServer) -> Settings:
    """The settings of a worker, as from its environment."""
    return Settings(_env_file=None, **values_for(database_url, address, namespace, mail))


def environment_for(database_url: str, address: str, namespace: str, mail: MailServer) -> dict[str, str]:
    """The same as the environment of another process."""
    values = values_for(database_url, address, namespace, mail)
    return {name if name.isupper() else f"COUNTERSIGN_{name.upper()}": str(value) for name, value in values.items()}


def values_for(database_url: str, address: str, namespace: str, mail: MailServer) -> dict[str, Any]:
    """The settings by their names."""
    return {
        "database_url": database_url,
        "TEMPORAL_ADDRESS": address,
        "TEMPORAL_NAMESPACE": namespace,
        "mail_keys": MAIL_KEYS,
        "mail_sender": "approvals@example.test",
        "smtp_host": mail.host,
        "smtp_port": mail.smtp_port,
        "smtp_security": "none",
        "smtp_username": "countersign",
        "smtp_password": mail.password,
        "requests_an_hour": 0,
    }


class Deployment:
    """`async with Deployment(...) as deployment:` has a policy applied and, unless it is not `awake`, a worker running.

    `settings` are further settings, by the names of settings.py.
    """

    def __init__(
        self,
        address: str,
        namespace: str,
        database_url: str,
        awake: bool = True,
        **settings: Any,
    ) -> None:
        self.address = address
        self.namespace = namespace
        self.mail = MailServer()
        self.devices = Devices()
        self.store = Store(database_url)
        self.database_url = database_url
        self._awake = awake
        self._more = settings
        self._stop = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.mail.start()
        values = values_for(self.database_url, self.address, self.namespace, self.mail)
        self.settings = Settings(_env_file=None, **values | self._more)
        self.client = await Client.connect(self.address, namespace=self.namespace)
        config = email_config(self.settings)
        assert config is not None
        self._sender = EmailSender(config)
        outbox = Outbox(self.store, {"email": self._sender})
        self.engine = Engine(self.client, self.store, outbox)
        self.transactions = Transactions(self.store)
        self.apply(policy())
        if self._awake:
            self.start_worker()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        await self.stop_worker()
        await self._sender.close()
        await self.mail.stop()
        self.store.close()

    def apply(self, text: str) -> None:
        """Put a policy in force."""
        apply_policy(self.store, text, "ada")

    def apply_unchecked(self, text: str) -> None:
        """Put a policy in force in which somebody has nobody to ask, as an earlier version without that check would."""
        policy = Policy.model_validate_json(text)
        read = ReadPolicy(text, policy, policy.model_dump(mode="json"))
        put_in_force(self.store, read, "ada")

    async def enforce_directory(self) -> None:
        """Apply a new policy to open requests and grants."""
        await insist(self.engine.enforce_directory)

    def read_mailbox(self) -> None:
        """Have the worker that starts next read the mailbox, and believe what the mail server says of senders."""
        mailbox = self.mailbox | {"imap_password": SecretStr(PASSWORD)}
        self.settings = self.settings.model_copy(update=mailbox)

    def start_worker(self) -> None:
        """Start what `python worker.py` runs, unless it runs already."""
        if self._worker is not None:
            return
        self._stop.clear()
        self._worker = asyncio.create_task(worker.run(self.settings, self._stop, runner=sandboxed()))

    async def stop_worker(self) -> None:
        """Stop the worker as SIGTERM does."""
        self._stop.set()
        if self._worker is not None:
            await self._worker
        self._worker = None

    async def ask(self, requester: str, group: str = "web", **fields: Any) -> Request:
        """Ask for a device of this group that nobody asked for yet."""
        return await self.ask_for(self.question(requester, group, **fields))

    async def ask_for(self, question: Question) -> Request:
        """Ask this question."""
        return Request(self, question, await self.client.ask(question, asked_by=question.requester))

    async def ask_as(self, who: str, question: Question) -> Asked:
        """Somebody asks this question, perhaps for its requester; a gateway has it in its scope."""
        scope = Scope(targets=frozenset({question.subject.target}), variants=frozenset({question.subject.variant}))
        return await self.engine.ask(question, Principal(who, scope=scope), uuid.uuid4().hex)

    def question(self, requester: str, group: str = "web", **fields: Any) -> ConnectionQuestion:
        """A question that nobody asked yet."""
        device = self.devices.fresh(group)
        return ConnectionQuestion.model_validate({"requester": requester, "device": device, "protocol": "ssh"} | fields)

    @property
    def mailbox(self) -> dict[str, Any]:
        """The settings by which a worker reads its mailbox, by their names."""
        return {
            "imap_host": HOST,
            "imap_port": self.mail.imap_port,
            "imap_security": "none",
            "imap_username": ENGINE,
            "imap_password": PASSWORD,
            "mail_rule": "authentication_results",
            "mail_authserv_id": self.mail.authserv_id,
        }

    def person(self, login: str) -> Person:
        """A person with their mailbox."""
        return Person(login, self.mail.smtp_port, self.mail.imap_port)

    def refusals(self, requester: str) -> list[str]:
        """What the record says of questions that were refused outright."""
        rows = self.store.events.since(0, 10**6)
        return [line.detail for line in rows if line.kind == "refused" and line.who == requester]


@dataclass(frozen=True)
class Request:
    """A request that was asked for: what its people do, and its state."""

    deployment: Deployment
    question: Question
    asked: Asked

    @property
    def id(self) -> int:
        """Its approval id."""
        return self.asked.approval_id

    @property
    def deadline(self) -> datetime:
        """When it expires."""
        return self.deployment.store.reading.request(self.id).deadline

    @property
    def status(self) -> Status:
        """Its status, as pages show it."""
        return self.deployment.store.reading.request(self.id).status

    async def store(self, person: str, verdict: str = "approve", level: int = 1, **fields: Any) -> Answer:
        """Somebody answers, and a channel stores it."""
        given = {
            "channel": "test",
            "source_id": uuid.uuid4().hex,
            "approval_id": self.id,
            "level": level,
            "person": person,
            "verdict": Verdict(verdict),
            "at": datetime.now(UTC),
        }
        given["signed_in"] = fields.get("channel") not in ("email", "slack")
        return await self.deployment.engine.store_answer(SubmittedAnswer.model_validate(given | fields))

    async def says(self, person: str, verdict: str = "approve", level: int = 1, **fields: Any) -> Judgement:
        """Somebody answers, and it is judged."""
        return await self.deployment.engine.submit(await self.store(person, verdict, level, **fields))

    async def outcome(self) -> Outcome:
        """What the workflow returns in the end."""
        return await self.deployment.client.wait(self.question)

    def lines(self, *kinds: str) -> list[str]:
        """Its record, oldest first, as `kind who`; all kinds but `noticed` unless some are named."""
        rows = self.deployment.store.events.of(self.id)
        return [f"{row.kind} {row.who}" for row in rows if (row.kind in kinds if kinds else row.kind != "noticed")]

    def asked_people(self, level: int = 1) -> list[str]:
        """Who is asked at a level."""
        view = self.deployment.store.reading.request(self.id)
        return sorted(one.person for one in view.approvers if one.level == level)

    def decided(self) -> list[str]:
        """The decisions as `person verdict level`."""
        view = self.deployment.store.reading.request(self.id)
        return [f"{one.person} {one.verdict} {one.level}" for one in view.decisions]

    async def mails(self, login: str) -> list[str]:
        """The kinds of mail that somebody got about it, oldest first; a mail that came again counts once, by its id."""
        inbox = await asyncio.to_thread(self.deployment.person(login).inbox)
        about = [str(mail["Message-ID"]) for mail in inbox if str(mail["Subject"]).endswith(f"#{self.id}")]
        return [found[1] for message_id in dict.fromkeys(about) if (found := EVENT.search(message_id))]

    async def until_mailed(self, **mails: list[str]) -> None:
        """Wait until each of these people got exactly these kinds of mail."""
        deadline = time.monotonic() + WAIT_SECONDS
        for login, kinds in mails.items():
            while (got := await self.mails(login)) != kinds:
                assert time.monotonic() < deadline, f"{login} got {got} instead of {kinds}"
                await asyncio.sleep(POLL_SECONDS)


async def insist(call: Callable[[], Awaitable[T]]) -> T:
    """Try again for as long as no worker answers, as the sweeper and any gateway do."""
    while True:
        try:
            return await call()
        except Unavailable:
            continue


async def refused(call: Awaitable[object]) -> str:
    """The message of a refusal; fails if there is none."""
    try:
        done = await call
    except Refused as error:
        return str(error)
    raise AssertionError(f"it was not refused: {done}")
