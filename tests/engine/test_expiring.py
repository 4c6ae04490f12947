"""Admins are notified of what expires within a week: once for each end, with the mail's text as expected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, update

from countersign.client import Client
from countersign.machines import NewServiceToken
from countersign.permissions import Principal
from countersign.times import moment
from engine.credentials.client_certificates import ClientCertificates
from engine.engine import Engine
from sandbox.temporal_server import free_port
from store import Store
from store.tables import certificate_authorities, notifications, policies, service_tokens
from tests.authority import Authority
from tests.engine.notifications.test_general_notifications import inbox, states
from tests.engine.post import Post
from tests.workflows.deployment import until

ADA = Principal("ada", admin=True)

DAY = timedelta(days=1)


async def engine_of(store: Store) -> Engine:
    return Engine(await Client.connect(f"127.0.0.1:{free_port()}", lazy=True), store)


def made(engine: Engine, lasts: timedelta = 30 * DAY) -> str:
    return engine.service_tokens.make(NewServiceToken(name="backup", lasts=lasts), ADA, {}).client_id


def expires(store: Store, token_id: str, at: datetime) -> None:
    """Have a token expire then, as if it was made 30 days before that."""
    values = {"created_at": at - 30 * DAY, "ends_at": at}
    with store.database.transaction() as connection:
        connection.execute(update(service_tokens).where(service_tokens.c.id == token_id).values(values))


def notified(store: Store) -> list[tuple[str, str]]:
    with store.database.reading() as connection:
        rows = connection.execute(notifications.select().order_by(notifications.c.written_at)).all()
    return [(row.person, row.fields["ends_at"]) for row in rows if row.event == "expiring"]


async def test_admins_are_told_once_a_week_before_and_again_of_another_end(store: Store) -> None:
    engine, now = await engine_of(store), datetime.now(UTC)
    token_id = made(engine)
    expires(store, token_id, now + 8 * DAY)
    await engine.tell_of_expiry()
    assert notified(store) == []
    expires(store, token_id, soon := now + 7 * DAY - timedelta(minutes=1))
    for _ in range(2):
        await engine.tell_of_expiry()
    await (await engine_of(store)).tell_of_expiry()  # by a worker that starts meanwhile
    assert notified(store) == [("ada", moment(soon))]
    engine.service_tokens.change(token_id, "refresh", ADA, {})
    await engine.tell_of_expiry()
    assert len(notified(store)) == 1
    expires(store, token_id, later := now + 2 * DAY)
    await engine.tell_of_expiry()
    assert notified(store)[1:] == [("ada", moment(later))]
    rows = [one for one in store.events.since(0, 10**6) if one.kind == "expiring"]
    assert [one.detail for one in rows] == [f"service token {token_id}, {moment(at)}" for at in (soon, later)]


async def test_nobody_is_told_of_what_is_over_disabled_or_made_for_a_few_days(store: Store) -> None:
    engine, now = await engine_of(store), datetime.now(UTC)
    over, disabled = [made(engine) for _ in range(2)]
    made(engine, 2 * DAY)
    expires(store, over, now)
    expires(store, disabled, now + DAY)
    engine.service_tokens.change(disabled, "disable", ADA, {})
    await engine.tell_of_expiry()
    assert notified(store) == []


async def test_admins_are_told_of_an_authority_that_expires_soon(
    store: Store,
) -> None:
    engine, at = await engine_of(store), datetime.now(UTC) + DAY
    ClientCertificates(store).trust(Authority("Machines").pem, ["access.example.test"], ADA, {})
    await engine.tell_of_expiry()
    assert notified(store) == []
    with store.database.transaction() as connection:
        connection.execute(update(certificate_authorities).values(ends_at=at))
    for _ in range(2):
        await engine.tell_of_expiry()
    assert notified(store) == [("ada", moment(at))]


async def test_without_a_policy_there_is_nobody_to_tell(store: Store) -> None:
    engine = await engine_of(store)
    expires(store, made(engine), datetime.now(UTC) + DAY)
    with store.database.transaction() as connection:
        connection.execute(delete(policies))
    await engine.tell_of_expiry()
    assert notified(store) == []


async def test_the_mail_says_what_expires_when_and_what_to_do(post: Post) -> None:
    engine, at = await engine_of(post.store), datetime.now(UTC) + DAY
    token_id = made(engine)
    expires(post.store, token_id, at)
    await engine.tell_of_expiry()
    await post.outbox.send_new()
    await until(lambda: states(post) == [("ada", "sent")], "it is sent")
    [mail] = await inbox(post, "ada")
    assert mail["Subject"] == "Countersign - A service token expires soon"
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == [
        f"The service token backup ({token_id}) expires {moment(at)}.",
        "",
        "From then on the machines that use it are refused. Refresh it on the page Service tokens, or run: "
        f"countersign service-token refresh {token_id}",
        "",
        "Countersign",
    ]
