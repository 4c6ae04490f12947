"""The scenes in Slack, if there is one: requests are opened, answered, refused and revoked there, next to mail."""

from countersign.kinds.connection import ConnectionQuestion
from countersign.models import GrantStatus, Status
from sandbox.clients import Client
from sandbox.demo.blocks import buttons_of
from sandbox.demo.chat import ANSWERS, Chat
from sandbox.demo.request import Request
from sandbox.demo.scenes import Play, Scene, approved
from sandbox.demo.screen import SceneResult
from sandbox.demo.steps import must
from sandbox.demo.workspace import ROOM, STRANGER, user_id
from sandbox.slack.workspace import Json
from sandbox.slack_policy import with_slack

CANCEL = ("cancel",)
OPENING = (
    "Slack, beside mail",
    "The policy now says `channels: {email: decide, slack: decide}`: everybody is asked in both, and may answer "
    "in either. Whoever rejects has to say why, and messages about the web servers go to one room, #web.",
)


async def into_slack(play: Play) -> None:
    """Put the policy in force that uses Slack; the portal hears what is pressed there."""
    play.stage.apply(with_slack(play.stage.policy, {"web": ROOM}, rejection_needs_reason=True))
    with play.screen.waiting() as waiting:
        waiting.tell("the portal connects to Slack")
        await play.stage.portal.says("connected to Slack's socket")
    play.screen.aside("The portal listens to Slack by Socket Mode; the worker writes.")


async def by_a_click(play: Play) -> SceneResult:
    """A request is opened by `/connect` and approved by a button."""
    chat, request = _chat(play), await _connects(play, "alice", "lab-1 ssh 60m disk full", minutes=60)
    await request.record("opened alice", "level_started countersign", *_notified("grace"), "noticed alice")
    prompt = await chat.message("grace", request.approval_id, "Approval needed", "disk full", buttons=ANSWERS)
    chat.draw("grace", prompt)
    chat.draw("alice", await chat.message("alice", request.approval_id, "Waiting for Grace", buttons=CANCEL))
    await chat.press(prompt, "approve", "grace")
    await request.record("answered grace", "approved grace", "granted alice", *_notified("alice", "grace"))
    chat.draw("alice", await chat.message("alice", request.approval_id, "Approved by Grace"))
    await chat.settled(request.approval_id, "Approved", "grace", "alice")
    return await approved(play, request, "grace", showed="One click; the buttons go")


async def mail_and_slack(play: Play) -> SceneResult:
    """One answers by mail, the other sees it in Slack at once, and rejects there."""
    why = "Not during the audit; ask again on Monday."
    chat, request = _chat(play), await _connects(play, "bob", "db-1 sftp 2h copy last night's dump", minutes=120)
    number = request.approval_id
    await request.record("opened bob", "level_started countersign", *_notified("grace"), "noticed bob")
    await chat.press(await chat.message("grace", number, buttons=ANSWERS), "approve", "grace")
    await request.record("answered grace", "level_started countersign", *_notified("heidi", "ivan", "ada"))
    await chat.message("ivan", number, "Grace Hopper approved", buttons=ANSWERS)
    await request.reply("heidi", "Approved\nThanks for asking.", Client.APPLE)
    await request.record("answered heidi")
    prompt = await chat.message("ivan", number, "Heidi Huber approved", "by email", buttons=ANSWERS)
    chat.draw("ivan", prompt)
    await chat.press(prompt, "reject", "ivan")
    await chat.fill_in("ivan", why)
    everybody = ("bob", "grace", "heidi", "ivan", "ada")
    await request.record("answered ivan", "rejected ivan", *_notified(*everybody))
    chat.draw("bob", await chat.message("bob", number, "Rejected by Ivan", why))
    await chat.settled(number, "Rejected", *everybody)
    play.screen.excerpt(await request.mail("heidi", why))
    view = await request.ends(Status.REJECTED, "ivan")
    channels = {one.person: one.channel for one in view.decisions}
    must(
        channels == {"grace": "slack", "heidi": "email", "ivan": "slack"}, f"{request.number} is decided by {channels}"
    )
    play.screen.outcome(view.status, f"{request.number} is Rejected: mail and Slack told everybody the same")
    return SceneResult("", request.number, view.status, "Mail and Slack, one request")


async def not_asked(play: Play) -> SceneResult:
    """Everybody in a room can press a button; people who aren't asked are told so, and it is recorded."""
    chat, request = _chat(play), await _connects(play, "alice", "web-1 http 30m look at the new admin page", minutes=30)
    number = request.approval_id
    await request.record(
        "opened alice", "level_started countersign", f"noticed #{ROOM}", "noticed grace", "noticed alice"
    )
    prompt = await chat.message(ROOM, number, "@Grace", buttons=ANSWERS)
    chat.draw(ROOM, prompt)
    await chat.press(prompt, "approve", STRANGER)
    await chat.ephemeral(STRANGER, "Nobody in Countersign's directory has your address")
    await request.record(f"answer_refused slack:{user_id(STRANGER)}")
    await chat.press(prompt, "approve", "mallory")
    await chat.ephemeral("mallory", "not asked about")
    await request.record("answer_refused mallory")
    must(request.view().status is Status.WAITING, f"{request.number} should wait still")
    await chat.press(await chat.message("alice", number, buttons=CANCEL), "cancel", "alice")
    await request.record("cancelled alice", *_notified("alice"), "noticed grace")
    await chat.settled(number, "Cancelled", ROOM, "alice")
    view = await request.ends(Status.CANCELLED)
    play.screen.outcome(view.status, f"{request.number} is Cancelled by Alice; neither click counted")
    return SceneResult("", request.number, view.status, "Refused with the reason, recorded")


async def revoked(play: Play) -> SceneResult:
    """An approver takes a grant back, on the app's Home page."""
    chat = _chat(play)
    request = next(each for each in play.requests if each.question.subject.target == "lab-1")
    number = request.approval_id

    def to_revoke(home: Json) -> list[str]:
        """The values of the buttons for this request; after the number and the level they name its run."""
        values = [one["value"] for one in buttons_of(home["blocks"]) if one["action_id"] == "revoke"]
        return [value for value in values if value.startswith(f"{number}:1:")]

    home = await chat.home("grace", lambda page: bool(to_revoke(page)))
    chat.draw_home("grace", home)
    await chat.press_at_home(home, "revoke", to_revoke(home)[0], "grace")
    await request.record("grant_revoked grace", *_notified("alice", "grace"))
    chat.draw("alice", await chat.message("alice", number, "Revoked"))
    await chat.settled(number, "Revoked", "alice", "grace")
    await chat.home_becomes("grace", lambda page: not to_revoke(page))
    grant = request.view().grant
    must(grant is not None and grant.status is GrantStatus.REVOKED, f"the grant of {request.number} is {grant}")
    play.screen.outcome("Revoked", f"The grant of {request.number} is Revoked: Alice would have to ask again")
    return SceneResult("", request.number, "Revoked", "From the app's Home page")


def _chat(play: Play) -> Chat:
    assert play.stage.slack
    return Chat(play.stage.slack, play.screen)


async def _connects(play: Play, requester: str, text: str, minutes: int) -> Request:
    """Ask by `/connect`, and check that the request is as it was typed."""
    number = await _chat(play).connect(requester, text)
    view = play.stage.store.reading.request(number)
    device, protocol, _, reason = text.split(maxsplit=3)
    asked = ConnectionQuestion(requester=requester, device=device, protocol=protocol, reason=reason, minutes=minutes)
    must(view.question == asked, f"#{number} asks {view.question}, and not {text}")
    return play.follow(asked, number)


def _notified(*people: str) -> list[str]:
    """The rows of a notification to each by mail, and by Slack."""
    return [f"noticed {one}" for one in people for _ in ("email", "slack")]


SCENES: list[tuple[str, str, Scene]] = [
    (
        "Approved by a click",
        "Alice asks with /connect. Grace has a message of her own in Slack, and presses a button.",
        by_a_click,
    ),
    (
        "By mail and in Slack",
        "Two of three have to agree. Heidi answers by mail, Ivan in Slack, and each sees what the other said.",
        mail_and_slack,
    ),
    (
        "Who isn't asked",
        "In a room everybody sees the buttons: also Sam, whom nobody here knows, and Mallory, whom nobody asked.",
        not_asked,
    ),
    ("Taken back", "Grace thinks again, and takes Alice's grant back on the app's Home page.", revoked),
]
