"""Mails changed as an attacker would change another mail of their sender to make it decide: none of them does."""

from pathlib import Path
from typing import cast

import pytest

from notifiers import engine as base
from notifiers.email.inbound import Inbound
from tests.notifiers.email.test_inbound import OURS, RING, RULE, Engine

MAIL = (Path(__file__).parents[2] / "mails" / "judged" / "asked-ok.eml").read_text(encoding="utf-8")
TAGGED = "countersign+1042-1-k1zifw64j6tnwgl6yjp5wseaupom@example.test"
FAILED = "Authentication-Results: mail.example.test; dmarc=fail header.from=example.test"
SPF = " spf=pass smtp.mailfrom=grace@example.test;\n"
SIGNED = "DKIM-Signature: d=example.test; h={}; b=x\nFrom: Grace"
BY_SES = "<0100018f7a5c9d3e-8f1c6a52-1b7e-4c0d-9d5b-0a1b2c3d4e5f-000000@email.amazonses.com>"
OUR_ID = "<1042.1.k1zifw64j6tnwgl6yjp5wseaupom.asked.aaaaaaaaaaaaaaaa@example.test>"


async def comes_to(mail: str) -> str:
    inbound = Inbound(cast(base.Engine, Engine()), RING, RULE, OURS)
    checked = (await inbound.explain(mail.encode())).checked
    return checked.verdict if checked.decides else checked.code


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Authentication-Results: mail.example.test", "AUTHENTICATION-RESULTS: MAIL.Example.TEST"),
        (f"<{TAGGED}>", f"<{TAGGED.upper()}>"),
        ("Subject: Re: ", "Subject: "),
        ("Subject: Re: ", "Subject: [EXTERNAL] AW: "),
        (SPF, ""),
    ],
)
async def test_harmless_changes(old: str, new: str) -> None:
    signed = MAIL.replace("From: Grace", SIGNED.format("From:To:Cc:Subject"))
    assert await comes_to(signed.replace(old, new)) == "approve"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("Authentication", f"{FAILED}\nAuthentication", "authentic"),
        ("From: Grace", "Authentication-Results : mail.example.test; dmarc=pass\nFrom: Grace", "malformed"),
        ("From: Grace", "from: Eve <eve@example.test>\nFrom: Grace", "repeated_header"),
        ("To: Counter", "to: bob@example.test\nTo: Counter", "repeated_header"),
        ("Subject: Re", "SUBJECT: Lunch\nSubject: Re", "repeated_header"),
        (f"To: Countersign <{TAGGED}>", f"To: bob@example.test\nCc: {TAGGED}", "written_to_us"),
        (f"To: Countersign <{TAGGED}>", f"To: bob@example.test\nDelivered-To: {TAGGED}", "written_to_us"),
        ("Re: Acme - Connection Approval Notification - #1042", "Re: Lunch, table #1042?", "subject_names_it"),
        ("Subject: Re:", "Subject: Fwd:", "forwarded"),
        ("Subject: Re:", "Subject: Sjálfvirkt svar: Re:", "auto_reply"),
        ("Subject: Re:", "Subject: PTO:", "auto_reply"),
        ("MIME-Version", "Auto-Submitted: no\nauto-submitted: auto-replied\nMIME-Version", "auto_reply"),
        ("MIME-Version", "PRECEDENCE: Bulk\nMIME-Version", "auto_reply"),
        ("MIME-Version", "Return-Path: <>\nMIME-Version", "bounce"),
        ("MIME-Version", "Resent-From: eve@example.test\nMIME-Version", "resent"),
        ("To: Counter", "Sender: eve@example.test\nTo: Counter", "sent_by_another"),
        ("spf=pass", "spf=softfail", "authentic"),
        ("spf=pass", "spf=fail smtp.mailfrom=evil.test; spf=pass", "authentic"),
        ("smtp.mailfrom=grace@example.test", "smtp.mailfrom=eve@example.net", "authentic"),
        ("smtp.mailfrom=grace@example.test", "smtp.helo=example.test", "authentic"),
        (SPF, " spf=fail (spf=pass smtp.mailfrom=example.test) smtp.mailfrom=evil.test;\n", "authentic"),
        (SPF, "", "authentic"),
        (f"In-Reply-To: {OUR_ID}", "In-Reply-To: <lunch@email.amazonses.com>", "replies_to_ours"),
        (f"In-Reply-To: {OUR_ID}", f"In-Reply-To: {BY_SES} <lunch@example.net>", "replies_to_ours"),
    ],
)  # fmt: skip
async def test_what_a_stranger_may_change_decides_nothing(old: str, new: str, code: str) -> None:
    assert old in MAIL
    assert await comes_to(MAIL) == "approve"
    assert await comes_to(MAIL.replace(old, new, 1)) == code


@pytest.mark.parametrize(
    "signed",
    [
        "From:Date:Subject",
        "From:To:Cc:Subject; l=0",
        "From:To:Cc:Subject; d=evil.test",
        "From:Subject; b=y\nDKIM-Signature: d=example.test; h=From:To:Cc:Subject",
        "From:To:Cc:Subject; b=y\nDKIM-Signature: d=example.test; h=From:Subject",
    ],
)
async def test_without_spf_each_signature_of_the_sender_has_to_cover_all(signed: str) -> None:
    assert await comes_to(MAIL.replace(SPF, "").replace("From: Grace", SIGNED.format(signed))) == "authentic"
