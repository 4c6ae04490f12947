"""Mail within one tenant of Exchange Online is proven by the headers that Exchange wrote, each exactly once."""

import pytest

from notifiers.email.authenticity import Authentic, authenticate
from notifiers.email.config import AuthenticityRule
from notifiers.email.read_settings import authenticity
from notifiers.email.settings import EmailSettings

TENANT = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
RULE = AuthenticityRule(mode="authentication_results", exchange_online=True, tenant=TENANT)
SENDER = "grace@corp.example"
RESULTS = (
    "Authentication-Results: dkim=none (message not signed) header.d=none;"
    "dmarc=none action=none header.from=corp.example;\r\n"
)
ORGANIZATION = "X-MS-Exchange-Organization-AuthAs: Internal\r\n"
SOURCE = "X-MS-Exchange-Organization-AuthSource: AM0PR04MB1234.eurprd04.prod.outlook.com\r\n"
CROSS = "X-MS-Exchange-CrossTenant-AuthAs: Internal\r\n"
CROSS_SOURCE = "X-MS-Exchange-CrossTenant-AuthSource: AM0PR04MB1234.eurprd04.prod.outlook.com\r\n"
ID = f"X-MS-Exchange-CrossTenant-Id: {TENANT}\r\n"
MAIL = (
    f"{RESULTS}From: Grace <{SENDER}>\r\nTo: approvals@corp.example\r\nSubject: x\r\n"
    f"{ORGANIZATION}{SOURCE}{CROSS}{CROSS_SOURCE}{ID}\r\nApproved\r\n"
)


def proven(mail: str, rule: AuthenticityRule = RULE) -> Authentic:
    return authenticate(mail.encode(), SENDER, rule)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        (RESULTS, ""),
        (ID, ID.upper()),
        (CROSS_SOURCE, ""),
        (SOURCE, ""),
        ("To:", f"Sender: {SENDER}\r\nTo:"),
        ("To:", f"Sender: Grace <{SENDER.upper()}>\r\nTo:"),
    ],
)
def test_what_a_mailbox_of_the_tenant_submitted_is_proven(old: str, new: str) -> None:
    found = proven(MAIL.replace(old, new))
    assert found == Authentic(True, f"Exchange Online says that a mailbox of the tenant {TENANT} submitted it")


@pytest.mark.parametrize("header", [ORGANIZATION, CROSS, ID])
@pytest.mark.parametrize("how", ["missing", "twice", "empty", "other", "spaced"])
def test_a_header_that_is_missing_doubled_or_different_proves_nothing(header: str, how: str) -> None:
    name, _, value = header.partition(": ")
    put = {
        "missing": "",
        "twice": header * 2,
        "empty": f"{name}:\r\n",
        "other": f"{name}: Anonymous\r\n",
        "spaced": f"{header}{name} : {value}",
    }[how]
    assert proven(MAIL).passed
    assert not proven(MAIL.replace(header, put)).passed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SOURCE + CROSS, CROSS * 2),
        (SOURCE, SOURCE * 2),
        (CROSS_SOURCE, CROSS_SOURCE * 2),
        (SOURCE, SOURCE.replace("outlook.com", "outlook.com.evil.example")),
        (SOURCE, SOURCE.replace("prod.outlook.com", "notoutlook.com")),
        (SOURCE, SOURCE.replace("AM0PR04MB1234.eurprd04.prod.outlook.com", "outlook.com")),
        (CROSS_SOURCE, CROSS_SOURCE.replace("outlook.com", "evil.example")),
        ("To:", "Sender: mallory@corp.example\r\nTo:"),
        ("To:", f"Sender: {SENDER} <mallory@corp.example>\r\nTo:"),
        ("To:", f"Sender: {SENDER}\r\nSender: mallory@corp.example\r\nTo:"),
        ("dmarc=none", "dmarc=fail"),
        ("dmarc=none", "dmarc=permerror"),
        ("dmarc=none action=none header.from=corp.example", "dmarc=pass header.from=evil.example"),
        ("dmarc=none", "dmarc="),
    ],
)
def test_what_somebody_else_may_have_written_proves_nothing(old: str, new: str) -> None:
    assert old in MAIL
    assert not proven(MAIL.replace(old, new)).passed


def test_only_where_the_rule_names_the_tenant() -> None:
    assert not proven(MAIL, AuthenticityRule(mode="authentication_results", exchange_online=True)).passed
    assert not proven(MAIL, RULE.model_copy(update={"tenant": TENANT.replace("3f", "4f")})).passed
    assert "x-ms-exchange-organization-authas" in proven(MAIL.replace(ORGANIZATION, "")).how


def test_everybody_else_needs_a_dmarc_pass_as_before() -> None:
    outside = MAIL.replace(ORGANIZATION, "").replace("dkim=none", "spf=pass smtp.mailfrom=corp.example;dkim=none")
    assert proven(outside.replace("dmarc=none", "dmarc=pass")).passed
    assert not proven(outside).passed


@pytest.mark.parametrize(
    "settings",
    [
        {"mail_rule": "exchange_online", "mail_tenant": "corp.onmicrosoft.com"},
        {"mail_rule": "dkim", "mail_tenant": TENANT},
        {"mail_tenant": TENANT},
    ],
)
def test_a_wrong_tenant_is_named_at_the_start(settings: dict[str, str]) -> None:
    with pytest.raises(Exception, match="COUNTERSIGN_MAIL_TENANT is the id"):
        authenticity(EmailSettings.model_validate(settings))


def test_the_setting_makes_the_rule() -> None:
    settings = EmailSettings.model_validate({"mail_rule": "exchange_online", "mail_tenant": TENANT.upper()})
    assert authenticity(settings) == RULE
