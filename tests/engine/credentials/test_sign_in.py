"""Sign-in links and sessions: the rules, on a database alone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from countersign.errors import NotAllowed, NotFound
from countersign.permissions import Principal
from engine.credentials.sign_in import LINK_LASTS, LINKS_FROM_ONE_SOURCE, SESSION_LASTS, From, SignIn
from engine.policy import apply_policy
from engine.upkeep import Kept
from store import Store
from store.retention import Retention
from store.tables import notifications, sessions, sign_ins
from tests.workflows.people import policy

HERE = From("a secret of this browser", "Firefox/128.0 (Windows) see https://evil.example\n<b>", "192.0.2.7")
MONTH = timedelta(days=30)
ELSEWHERE = HERE._replace(secret="another")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    store = Store(sqlite_url)
    apply_policy(store, policy(), "ada")
    yield store
    store.close()


def link_of(store: Store) -> str:
    with store.database.reading() as connection:
        *_, last = connection.execute(notifications.select().order_by(notifications.c.written_at)).all()
    return str(last.fields["link_id"])


def kinds(store: Store) -> list[tuple[str, str, str]]:
    return [(row.kind, row.who, row.detail) for row in store.events.since(0, 10**6) if row.kind.startswith("sign")]


def aged(store: Store, by: timedelta) -> None:
    with store.database.transaction() as connection:
        ends = datetime.now(UTC) - by
        connection.execute(update(sign_ins).values(ends_at=ends))


def test_a_link_begins_one_session_in_the_browser_that_asked(store: Store) -> None:
    rules = SignIn(store)
    rules.send_link("Grace@EXAMPLE.test", HERE, "/requests/1042", ["email"])
    link = link_of(store)
    with pytest.raises(NotAllowed, match="only in the browser"):
        rules.by_link(link, ELSEWHERE)
    begun = rules.by_link(link, HERE)
    assert begun.go_to == "/requests/1042"
    session = store.sessions.find(begun.cookie, datetime.now(UTC))
    assert session
    assert (session.person, session.signed_in_by, session.browser) == ("grace", "link", "Firefox on Windows")
    with pytest.raises(NotAllowed, match="used already"):
        rules.by_link(link, HERE)
    assert [kind for kind, _, _ in kinds(store)] == ["sign_in", "sign_in_refused", "signed_in", "sign_in_refused"]
    # The record has nothing that could open a session: not the cookie's secret, and none of the link.
    assert begun.cookie.partition("_")[2] not in str([row.model_dump() for row in store.events.since(0, 10**6)])


def test_an_old_link_an_unknown_one_and_one_of_somebody_disabled_begin_nothing(store: Store) -> None:
    rules = SignIn(store)
    with pytest.raises(NotAllowed, match="unknown"):
        rules.by_link("no link", HERE)
    rules.send_link("grace@example.test", HERE, "/", ["email"])
    link = link_of(store)
    apply_policy(store, policy(users={"grace": {"disabled": True}}), "ada")
    with pytest.raises(NotAllowed, match="disabled"):
        rules.by_link(link, HERE)
    aged(store, timedelta(seconds=1))
    with pytest.raises(NotAllowed, match="too old"):
        rules.by_link(link, HERE)


def test_no_more_links_are_asked_for_from_one_address_than_an_office_needs(store: Store) -> None:
    rules = SignIn(store)
    for number in range(LINKS_FROM_ONE_SOURCE + 2):
        rules.send_link(f"stranger-{number}@example.test", HERE, "/", ["email"])
    rules.send_link("grace@example.test", HERE, "/", ["email"])
    with store.database.reading() as connection:
        assert connection.execute(notifications.select()).all() == []
    rules.send_link("grace@example.test", HERE._replace(source_address="192.0.2.8"), "/", ["email"])
    assert link_of(store)


def test_an_operators_link_works_in_any_browser_and_is_on_record(store: Store) -> None:
    rules = SignIn(store)
    assert rules.by_link(rules.make_link("grace", "operator:root"), ELSEWHERE).go_to == "/"
    assert kinds(store)[0] == ("sign_in", "operator:root", "a link for grace was made")
    with pytest.raises(NotFound, match="not in the policy"):
        rules.make_link("nobody", "operator:root")


def test_a_provider_signs_in_who_has_the_address_or_alias_and_each_refusal_is_on_record(store: Store) -> None:
    apply_policy(store, policy(users={"grace": {"aliases": ["g@example.test"]}, "alice": {"disabled": True}}), "ada")
    rules, issuer = SignIn(store), "https://login.example.com"
    state = rules.begin_with_provider(HERE, "/requests/7")
    with pytest.raises(NotAllowed, match="only in the browser"):
        rules.returned_from_provider(state, ELSEWHERE)
    assert rules.returned_from_provider(state, HERE) == "/requests/7"
    with pytest.raises(NotAllowed, match="used already"):
        rules.returned_from_provider(state, HERE)
    late = rules.begin_with_provider(HERE, "/")
    aged(store, timedelta(seconds=1))
    with pytest.raises(NotAllowed, match="too old"):
        rules.returned_from_provider(late, HERE)
    session = store.sessions.find(rules.by_provider("G@Example.test", issuer, HERE, NOON), datetime.now(UTC))
    assert session
    assert (session.person, session.signed_in_by, session.confirmed_at) == ("grace", "oidc", NOON)
    for address, reason in {"alice@example.test": "disabled", "nobody@example.test": "not in the directory"}.items():
        with pytest.raises(NotAllowed, match=reason):
            rules.by_provider(address, issuer, HERE, NOON)
    rules.refuse("its token is wrong", HERE)
    of_nobody = f"{issuer} knows an address that nobody enabled has"
    assert kinds(store) == [
        ("sign_in_refused", "", "It works only in the browser where you asked for it."),
        ("sign_in_refused", "", "It was used already."),
        ("sign_in_refused", "", "It is too old."),
        ("signed_in", "grace", "oidc"),
        ("sign_in_refused", "alice", of_nobody),
        ("sign_in_refused", "", of_nobody),
        ("sign_in_refused", "", "its token is wrong"),
    ]


def test_sign_ins_by_a_provider_take_nothing_from_the_links_that_an_office_may_ask_for(store: Store) -> None:
    rules = SignIn(store)
    for _ in range(LINKS_FROM_ONE_SOURCE + 1):
        rules.begin_with_provider(HERE, "/")
    rules.send_link("grace@example.test", HERE, "/", ["email"])
    assert link_of(store)


def test_what_has_been_over_for_long_is_forgotten(store: Store) -> None:
    rules = SignIn(store)
    rules.by_link(rules.make_link("grace", "operator"), HERE)
    retention, kept = Retention(store.database), Kept(MONTH, MONTH, MONTH)
    retention.forget_some(kept.oldest(datetime.now(UTC) + kept.sessions))
    assert counts(store) == (1, 1)
    retention.forget_some(kept.oldest(datetime.now(UTC) + kept.sessions + LINK_LASTS))
    assert counts(store) == (1, 0)
    retention.forget_some(kept.oldest(datetime.now(UTC) + kept.sessions + SESSION_LASTS))
    assert counts(store) == (0, 0)


def counts(store: Store) -> tuple[int, int]:
    with store.database.reading() as connection:
        found = [len(connection.execute(table.select()).all()) for table in (sessions, sign_ins)]
    return found[0], found[1]


def test_a_session_is_ended_by_its_owner_and_by_an_admin(store: Store) -> None:
    rules = SignIn(store)
    first, second = [rules.by_link(rules.make_link("grace", "operator"), HERE).cookie for _ in range(2)]
    ids = [one.partition("_")[0] for one in (first, second)]
    assert [one.id for one in store.sessions.lasting(datetime.now(UTC))] == ids[::-1]
    with pytest.raises(NotFound):
        rules.end_session(ids[0], Principal("alice"))
    rules.end_session(ids[0], Principal("grace"))
    rules.end_session(ids[0], Principal("grace"))
    rules.end_session(ids[1], Principal("ada", admin=True))
    assert store.sessions.lasting(datetime.now(UTC), "grace") == []
    assert [row.who for row in store.events.since(0, 10**6) if row.kind == "signed_out"] == ["grace", "ada"]
