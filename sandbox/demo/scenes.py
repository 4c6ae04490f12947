"""The scenes of the story. Each says what it does, does it for real, and checks that it happened."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from countersign.models import Asked, Question, Status
from countersign.times import moment
from sandbox.clients import Client
from sandbox.demo.request import Request
from sandbox.demo.screen import SceneResult, Screen
from sandbox.demo.stage import Stage
from sandbox.demo.steps import must, step

COUNTDOWN_SECONDS = 0.5


@dataclass
class Play:
    """What the scenes share: the stage, the screen, and the requests so far."""

    stage: Stage
    screen: Screen
    requests: list[Request] = field(default_factory=list)

    async def ask(self, requester: str, device: str, protocol: ConnectionProtocol, reason: str) -> Request:
        """Open a request through the client, as any program can."""
        question = ConnectionQuestion(requester=requester, device=device, protocol=protocol, reason=reason)
        asked = await self.put(question)
        must(not asked.joined, f"{requester} got #{asked.approval_id}, which was open before")
        return self.follow(question, asked.approval_id)

    def follow(self, question: Question, approval_id: int) -> Request:
        """Add a request to those of the story."""
        request = Request(self.stage, self.screen, question, approval_id)
        self.requests.append(request)
        return request

    async def put(self, question: ConnectionQuestion) -> Asked:
        """Put a question, new or not."""
        self.screen.asks(question)
        with step(f"{question.requester} asks to connect to {question.device}"):
            return await self.stage.client.ask(question, asked_by=question.requester)


async def nobody_answers(play: Play) -> Request:
    """The request that will expire while the other scenes play."""
    request = await play.ask("dave", "bastion-1", ConnectionProtocol.SSH, "Look at the log of last night")
    await request.record("opened dave", "level_started countersign", "noticed ivan")
    play.screen.brief(await request.mail("ivan", "asks to connect"))
    minutes = (request.view().deadline - request.view().opened_at).total_seconds() / 60
    play.screen.outcome("", f"{request.number} waits, until {moment(request.view().deadline)}")
    must(minutes == 1, f"{request.number} expires after {minutes:g} minutes, not after 1")
    return request


async def one_manager(play: Play) -> SceneResult:
    """User-group managerial approval, answered from a mail client that quotes everything."""
    request = await play.ask("alice", "web-1", ConnectionProtocol.SSH, "Deploy release 4.2")
    await request.record("opened alice", "level_started countersign", "noticed grace")
    play.screen.letter(await request.mail("grace", "asks to connect"))
    await request.reply("grace", "Approved", Client.OUTLOOK, in_full=True)
    await request.record("answered grace", "approved grace", "granted alice", "noticed alice", "noticed grace")
    play.screen.brief(await request.mail("alice", "you may connect"))
    return await approved(play, request, "grace", showed="One word, on top of a quote")


async def levels_and_quorum(play: Play) -> SceneResult:
    """An approval workflow: the manager first, then two of three."""
    request = await play.ask("bob", "db-1", ConnectionProtocol.SSH, "Restore a table")
    await request.record("opened bob", "level_started countersign", "noticed grace")
    await request.reply("grace", "Yes.", Client.GMAIL)
    await request.record("answered grace", "level_started countersign", "noticed heidi", "noticed ivan", "noticed ada")
    await request.reply("heidi", "ok", Client.APPLE)
    await request.record("answered heidi")
    must(request.view().status is Status.WAITING, f"{request.number} should wait for the second of two")
    play.screen.aside("One of two: it still waits.")
    await request.reply("ivan", "Approve", Client.BOTTOM)
    notified = [f"noticed {name}" for name in ("bob", "grace", "heidi", "ivan", "ada")]
    await request.record("answered ivan", "approved ivan", "granted bob", *notified)
    play.screen.brief(await request.mail("ada", "may connect"))
    return await approved(play, request, "grace", "heidi", "ivan", showed="Level 2 by two of three")


async def rejected(play: Play) -> SceneResult:
    """One rejection ends it; the comment reaches the requester."""
    comment = "The audit is next week; ask again then."
    request = await play.ask("dave", "web-1", ConnectionProtocol.SFTP, "Copy the access logs")
    await request.record("opened dave", "level_started countersign", "noticed ivan")
    await request.reply("ivan", f"Rejected\n{comment}", Client.GMAIL)
    await request.record("answered ivan", "rejected ivan", "noticed dave", "noticed ivan")
    play.screen.excerpt(await request.mail("dave", comment))
    view = await request.ends(Status.REJECTED, "ivan")
    must(view.decisions[-1].comment == comment, f"the comment of {request.number} is {view.decisions[-1].comment!r}")
    play.screen.outcome(view.status, f"{request.number} is Rejected: {view.message}")
    return SceneResult("Rejected", request.number, view.status, "The comment reaches Dave")


async def own_request(play: Play) -> SceneResult:
    """A manager's own request, which the policy lets through."""
    request = await play.ask("grace", "web-1", ConnectionProtocol.SSH, "Look at the certificates")
    await request.record(
        "opened grace",
        "level_started countersign",
        "answered grace",
        "approved countersign",
        "granted grace",
        "noticed grace",
    )
    play.screen.brief(await request.mail("grace", "you may connect"))
    return await approved(play, request, "grace", showed="At once, and on the record")


async def killed_worker(play: Play) -> SceneResult:
    """Nothing is lost when the worker dies, not even what arrives before the next one."""
    request = await play.ask("bob", "web-1", ConnectionProtocol.SSH, "Renew the certificates")
    await request.record("opened bob", "level_started countersign", "noticed grace")
    killed = await play.stage.worker.kill()
    play.screen.aside(f"kill -9 {killed}: the worker is gone, and nobody reads the mailbox.")
    await request.reply("grace", "Approved\nThanks for asking.", Client.APPLE)
    must(request.view().status is Status.WAITING, f"{request.number} was decided while no worker ran")
    with play.screen.waiting() as waiting:
        waiting.tell("starting another worker")
        pid = await play.stage.worker.start()
    play.screen.aside(f"Another worker runs, as process {pid}.")
    await request.record("answered grace", "approved grace", "granted bob", "noticed bob", "noticed grace")
    return await approved(play, request, "grace", showed="Nothing lost, counted once")


async def strangers(play: Play) -> SceneResult:
    """Neither having somebody's mail nor writing in their name lets anybody answer for them."""
    request = await play.ask("alice", "web-1", ConnectionProtocol.HTTP, "Look at the new admin page")
    await request.record("opened alice", "level_started countersign", "noticed grace")
    mail = await request.mail("grace", "asks to connect")
    with step("Grace forwards her mail to Mallory"):
        await asyncio.to_thread(play.stage.person("grace").forward, mail, "mallory", "Do you know about this?")
    play.screen.aside("Grace forwards her mail to Mallory, who answers it as himself ...")
    await request.reply("mallory", "Approved", Client.GMAIL, copy_of="grace")
    await request.record("answer_refused mallory", "noticed mallory")
    play.screen.excerpt(await request.mail("mallory", "did not count"))
    play.screen.aside("... and then in her name, from his own account.")
    await request.reply("grace", "Approved", Client.OUTLOOK, forged_by="mallory")
    await request.record("answer_refused grace@example.test (unproven)", "noticed grace")
    play.screen.excerpt(await request.mail("grace", "did not count"))
    must(request.view().status is Status.WAITING, f"{request.number} should wait still")
    play.screen.aside("Alice has seen enough, and withdraws.")
    await request.cancel()
    await request.record("cancelled alice", "noticed alice", "noticed grace")
    view = await request.ends(Status.CANCELLED)
    play.screen.outcome(view.status, f"{request.number} is Cancelled; neither reply counted")
    return SceneResult("Strangers", request.number, view.status, "Forwarded, forged: refused")


async def asking_again(play: Play) -> SceneResult:
    """While a grant lasts the answer is yes, without a number or a mail of its own."""
    request = next(each for each in play.requests if each.question.subject.target == "web-1")
    assert isinstance(request.question, ConnectionQuestion)
    delivered = play.stage.mail.delivered
    asked = await play.put(request.question)
    must(asked.approval_id == request.approval_id, f"asking again got #{asked.approval_id}, not {request.number}")
    must(asked.status is Status.APPROVED and asked.grant is not None, f"asking again was answered {asked.status}")
    await request.record("asked_again alice")
    must(play.stage.mail.delivered == delivered, "a mail went out, though the question was answered already")
    ends = moment(asked.grant.ends_at) if asked.grant else ""
    play.screen.outcome(asked.status, f"Yes at once, by {request.number}, until {ends}; no new number, no mail")
    return SceneResult("Asking again", request.number, asked.status, "Yes at once, by the grant")


async def too_late(play: Play, request: Request) -> SceneResult:
    """The deadline passes; an approver who answers later is told so."""
    deadline = request.view().deadline
    with play.screen.waiting() as waiting:
        while (left := (deadline - datetime.now(UTC)).total_seconds()) > 0:
            waiting.tell(f"{request.number} expires in {left:.0f} s")
            await asyncio.sleep(min(left, COUNTDOWN_SECONDS))
    await request.record("expired countersign", "noticed dave", "noticed ivan")
    play.screen.brief(await request.mail("dave", "Expired"))
    await request.reply("ivan", "Approved", Client.GMAIL)
    await request.record("answer_refused ivan", "noticed ivan")
    play.screen.excerpt(await request.mail("ivan", "did not count"))
    view = await request.ends(Status.EXPIRED)
    play.screen.outcome(view.status, f"{request.number} stays Expired; Ivan knows")
    return SceneResult("Too late", request.number, view.status, "A late yes changes nothing")


async def approved(play: Play, request: Request, *by: str, showed: str) -> SceneResult:
    """The end of a scene in which somebody may connect."""
    view = await request.ends(Status.APPROVED, *by)
    assert view.grant
    play.screen.outcome(
        view.status, f"{request.number} is Approved, and the grant lasts until {moment(view.grant.ends_at)}"
    )
    return SceneResult("", request.number, view.status, showed)


Scene = Callable[[Play], Awaitable[SceneResult]]
SCENES: list[tuple[str, str, Scene]] = [
    (
        "A manager approves",
        "Alice is an engineer. Whatever an engineer connects to, their manager Grace has to agree; she answers by "
        "mail, from a client that repeats the whole question below.",
        one_manager,
    ),
    (
        "Two levels, two people",
        "Engineers to databases is an approval workflow: first Grace, then two of the three who look after the "
        "databases. They answer as they like.",
        levels_and_quorum,
    ),
    ("Rejected", "One no ends a request, and the comment goes to whoever asked.", rejected),
    (
        "A manager's own request",
        "Grace is the one who would be asked. The policy lets a manager's own request through.",
        own_request,
    ),
    (
        "The worker is killed",
        "A request waits, its worker dies, and the answer comes while nothing runs. Then a new worker starts.",
        killed_worker,
    ),
    (
        "Somebody else answers",
        "A mail can be forwarded, and a sender can be forged. Neither decides.",
        strangers,
    ),
    ("Asking again", "Alice's grant of the first scene still lasts.", asking_again),
]
