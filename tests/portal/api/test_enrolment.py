"""Which enrolment rule would answer: over HTTP and by the command line, on a portal of its own without Temporal."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from engine.credentials.tokens import TokenActions
from engine.devices.country_file import CountryFile
from engine.policy import apply_policy
from portal.app import create_app
from portal.server import Server
from store import Store
from store.tokens import Owner
from tests.countersign.installation import COMMAND, Ran
from tests.databases import new_sqlite
from tests.engine.country_file import written
from tests.portal.context import POLICY, Portal, serving, without_temporal

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULES = """
enrolment:
  - name: Staff
    action: allow
    include: {user_groups: [engineers]}
    require: {countries: [DE]}
    exclude: {login_methods: [link]}
    approval_required: true
    justification: true
    session: 12h
  - name: Elsewhere
    action: block
    include: {user_groups: [engineers], countries: [RU]}
  - name: Machines
    action: service_auth
    include: {service_tokens: [t1], common_names: [printer]}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def portal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Portal]:
    """A portal with these rules, whose country file knows one network."""
    folder = tmp_path_factory.mktemp("enrolment")
    url = new_sqlite(folder / "countersign.db")
    store = Store(url)
    apply_policy(store, POLICY + RULES, "ada")
    countries = CountryFile(str(written(folder / "countries.mmdb", {"192.0.2.0/24": "DE"})))
    plan = replace(without_temporal(url), countries=countries, checks=countries.checks())
    async with serving(Server(create_app(plan), "127.0.0.1", 0)) as where:
        found = Portal(where)
        found.store = store
        for person in ("ada", "alice"):
            found.tokens[person] = TokenActions(store).create(Owner(kind="person", name=person), "tests")
        yield found
        await found.aclose()
    store.close()


async def explained(portal: Portal, **asked: Any) -> Any:
    reply = await portal.post("ada", "/enrolment/explain", asked)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def command(portal: Portal, *arguments: str, who: str = "ada") -> Ran:
    call = [COMMAND, "enrolment", "explain", *arguments, "--url", portal.url.removesuffix("/api/v1")]
    call += ["--token", portal.tokens[who]]
    done = await asyncio.to_thread(subprocess.run, call, capture_output=True, text=True, timeout=60)
    return Ran(done.returncode, done.stdout, done.stderr)


async def test_the_rule_that_answers_and_why_each_before_it_does_not(portal: Portal) -> None:
    found = await explained(portal, person="Alice", source_address="192.0.2.7", login_method="oidc")
    assert found["message"] == "By the rule Staff (allow) it may enrol once somebody has approved it."
    assert [found[name] for name in ("admitted", "action", "rule", "session_seconds")] == [
        *(True, "allow", "Staff"),
        12 * 3600,
    ]
    assert (found["approval_required"], found["justification"]) == (True, True)
    why = "include: none of this holds: service_tokens t1; common_names printer"
    assert found["tried"] == [{"rule": "Machines", "action": "service_auth", "why": why}]
    facts = {name: found["facts"][name] for name in ("email", "user_groups", "country")}
    assert facts == {"email": "alice@example.test", "user_groups": ["engineers"], "country": "DE"}


async def test_a_country_is_taken_from_the_file_where_it_is_not_given(portal: Portal) -> None:
    elsewhere = await explained(portal, person="alice", source_address="198.51.100.1", login_method="oidc")
    assert elsewhere["rule"] == "Elsewhere"
    assert elsewhere["tried"][1]["why"] == "require: countries DE is not known"
    given = await explained(portal, person="alice", source_address="192.0.2.7", login_method="oidc", country="ru")
    assert given["tried"][1]["why"] == "require: countries DE does not hold"
    assert given["admitted"] is False
    [finding] = [one for one in (await portal.get("ada", "/doctor")).json() if one["about"] == "country file"]
    assert (finding["part"], finding["state"]) == ("devices", "ok")


async def test_a_machine_is_one_whoever_is_named(portal: Portal) -> None:
    assert (await explained(portal, service_token="t1"))["rule"] == "Machines"
    assert (await explained(portal, common_name="printer"))["rule"] == "Machines"
    other = await explained(portal, person="alice", source_address="192.0.2.7", login_method="oidc", service_token="t2")
    assert (other["action"], other["message"]) == (None, "No rule matches, so it may not enrol.")


async def test_a_machine_is_not_let_in_by_a_rule_for_people(portal: Portal) -> None:
    try:
        rule = "{name: All, action: allow, include: {everyone: true}}"
        apply_policy(portal.store, f"{POLICY}enrolment: [{rule}]\n", "ada")
        found = await explained(portal, service_token="t1")
        assert (found["action"], found["admitted"]) == ("allow", False)
        assert found["message"] == "By the rule All (allow) people may enrol, and this is a machine."
        assert (await explained(portal, person="alice"))["admitted"] is True
    finally:
        apply_policy(portal.store, POLICY + RULES, "ada")


async def test_who_is_no_admin_or_asks_what_can_not_be_is_told_why(portal: Portal) -> None:
    assert (await portal.post("alice", "/enrolment/explain", {"person": "alice"})).status_code == 403
    unknown = await portal.post("ada", "/enrolment/explain", {"person": "zoe"})
    assert (unknown.status_code, unknown.json()["type"]) == (409, "/api/v1/problems/unknown-requester")
    disabled = await portal.post("ada", "/enrolment/explain", {"person": "dora"})
    assert (disabled.status_code, disabled.json()["type"]) == (409, "/api/v1/problems/disabled-requester")
    for body in ({"source_address": "here"}, {"persons": "alice"}, {"claims": {"a": "b"}}, {"person": "a b"}):
        assert (await portal.post("ada", "/enrolment/explain", body)).status_code == 422


async def test_without_rules_people_may_enrol_and_with_none_nobody(portal: Portal) -> None:
    try:
        apply_policy(portal.store, POLICY, "ada")
        found = await explained(portal, person="alice")
        assert (found["admitted"], found["rule"], found["tried"]) == (True, "", [])
        assert (await explained(portal, service_token="t1"))["admitted"] is False
        apply_policy(portal.store, POLICY + "enrolment: []\n", "ada")
        assert (await explained(portal, person="alice"))["admitted"] is False
    finally:
        apply_policy(portal.store, POLICY + RULES, "ada")


async def test_the_command_says_the_same_and_ends_with_it(portal: Portal) -> None:
    allowed = await command(portal, "--person", "alice", "--source-address", "192.0.2.7", "--login-method", "oidc")
    assert (allowed.code, allowed.err) == (0, "")
    assert allowed.out.splitlines() == [
        "By the rule Staff (allow) it may enrol once somebody has approved it.",
        "Country: DE.",
        "Whoever registers has to say why.",
        "It may connect for 12 hours, and then registers again.",
        "Tried before, without a match:",
        "  Machines (service_auth)  include: none of this holds: service_tokens t1; common_names printer",
    ]
    refused = await command(portal, "--claim", "team=red", "--claim", "team=blue", "--json")
    assert refused.code == 1
    assert json.loads(refused.out)["facts"]["claims"] == {"team": ["red", "blue"]}


async def test_the_command_names_what_is_wrong(portal: Portal) -> None:
    wrong = await command(portal, "--claim", "red")
    assert (wrong.code, wrong.out) == (2, "")
    assert "'red' is not a claim; write its name and value, such as department=sales." in wrong.err
    assert (await command(portal, "--source-address", "here")).code == 2
    assert (await command(portal, "--person", "alice", who="alice")).code == 3
