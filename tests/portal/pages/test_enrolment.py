"""The enrolment rules in a browser without scripts: the order in which they are tried, and which one answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from engine.policy import apply_policy
from tests.http_clients import plain_client
from tests.portal.context import POLICY
from tests.portal.pages.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENROLMENT = """
enrolment:
  - name: Staff
    action: allow
    include: {user_groups: [engineers], email_domains: [example.test]}
    require: {source_networks: [192.0.2.0/24]}
    exclude: {claims: {"<i>team": [red]}}
    approval_required: true
    justification: true
    session: 12h
  - name: <b>Machines</b>
    action: service_auth
    include: {service_tokens: [t1]}
"""


@pytest.fixture(autouse=True)
def policy(installation: Site) -> Iterator[None]:
    """Put these rules in force for one test."""
    apply_policy(installation.store, POLICY + ENROLMENT, "ada")
    yield
    apply_policy(installation.store, POLICY, "ada")


async def opened(
    site: Site, person: str, path: str = "/enrolment", form: dict[str, Any] | None = None
) -> httpx.Response:
    """The page that somebody gets who is signed in, or, with a form, the answer to it."""
    cookies = {"session": site.session(person)}
    async with plain_client(base_url=site.url, cookies=cookies, timeout=60) as client:
        if form is None:
            return await client.get(path)
        return await client.post(path, data=form, headers={"Sec-Fetch-Site": "same-origin"})


async def test_the_rules_are_shown_as_they_are_tried_and_escaped(installation: Site) -> None:
    shown = (await opened(installation, "ada")).text
    assert 0 < shown.index("&lt;b&gt;Machines&lt;/b&gt;") < shown.index(">Staff<")
    assert "<b>Machines" not in shown
    assert "<i>team" not in shown
    assert "somebody approves it, a reason, for 12 hours" in shown
    apply_policy(installation.store, POLICY, "ada")
    assert "everybody in the directory may enrol" in (await opened(installation, "ada")).text
    apply_policy(installation.store, POLICY + "enrolment: []\n", "ada")
    assert "nobody may enrol" in (await opened(installation, "ada")).text


async def test_which_rule_answers_and_why_each_before_it_does_not(installation: Site) -> None:
    asked = {"person": " alice ", "source_address": "192.0.2.7", "claims": "<i>team=blue"}
    shown = (await opened(installation, "ada", "/enrolment/explain", asked)).text
    assert "By the rule Staff (allow) it may enrol once somebody has approved it." in shown
    assert "(service_auth): include: none of this holds: service_tokens t1" in shown
    assert 'value="alice"' in shown
    assert 'value="&lt;i&gt;team=blue"' in shown
    machine = (await opened(installation, "ada", "/enrolment/explain", {"service_token": "t2"})).text
    assert "No rule matches, so it may not enrol." in machine
    assert "require: source_networks 192.0.2.0/24 is not known" not in machine
    assert "email_domains example.test is not known" in machine


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"source_address": "here"}, "Source address"),
        ({"person": "zoe"}, "There is no zoe in the directory"),
        ({"person": "dora"}, "dora is disabled and may not ask."),
        ({"claims": "red"}, "is not a claim; write its name and value, such as department=sales."),
    ],
)
async def test_what_can_not_be_is_told_beside_what_was_typed(
    installation: Site, asked: dict[str, str], said: str
) -> None:
    reply = await opened(installation, "ada", "/enrolment/explain", asked)
    assert reply.status_code == 200
    assert said in reply.text.split('role="alert">')[1].split("</p>")[0]
    assert f'value="{next(iter(asked.values()))}"' in reply.text


async def test_it_is_for_admins(installation: Site) -> None:
    assert (await opened(installation, "alice")).status_code == 403
    assert (await opened(installation, "alice", "/enrolment/explain", {"person": "alice"})).status_code == 403
    assert 'href="/enrolment"' not in (await opened(installation, "alice", "/approvals")).text
    assert 'href="/enrolment"' in (await opened(installation, "ada", "/approvals")).text
