"""What reports about delivery say: who was not reached, and which mail of ours came back."""

import base64
import quopri
import time

import pytest

from notifiers.email.reply import Reply, read_reply

TOKEN = "k1abcdefghijklmnopqrstuvwxyz"
IDS = (1042, 2, TOKEN)
GRACE = "grace@example.com"
OURS = f"<1042.2.{TOKEN}.asked.abcdefghijklmnop@example.test>"
TAGGED = f"countersign+1042-2-{TOKEN}@example.test"


def bounce(
    recipient: str = f"Final-Recipient: rfc822; {GRACE}",
    action: str = "failed",
    status_type: str = "message/delivery-status",
    returned: str = f"Message-ID: {OURS}",
    returned_type: str = "message/rfc822",
    encoding: str = "",
    headers: str = "",
) -> Reply:
    status = f"Reporting-MTA: dns; mx.example.com\r\n\r\n{recipient}\r\nAction: {action}\r\nStatus: 5.1.1\r\n"
    original = f"Received: from x\r\n{returned}\r\n\r\nhello\r\n"
    parts = [(status_type, encoded(status, encoding)), (returned_type, encoded(original, encoding))]
    field = f"Content-Transfer-Encoding: {encoding}\r\n" if encoding else ""
    body = "".join(f"--b\r\nContent-Type: {kind}\r\n{field}\r\n{text}\r\n" for kind, text in parts)
    head = (
        f"Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example.com\r\nTo: countersign@example.test\r\n{headers}"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n'
    )
    return read_reply(f"{head}\r\n{body}--b--\r\n".encode())


def encoded(text: str, encoding: str) -> str:
    if encoding == "base64":
        return base64.encodebytes(text.encode()).decode()
    return quopri.encodestring(text.encode()).decode() if encoding == "quoted-printable" else text


@pytest.mark.parametrize(
    ("recipient", "address"),
    [
        (f"Final-Recipient: rfc822; {GRACE}", GRACE),
        ("Final-Recipient: RFC822;<Grace@Example.com> (unknown)", GRACE),
        ("Final-Recipient: rfc822; (was bob@example.com) grace@example.com", GRACE),
        ('Final-Recipient: rfc822; "grace hopper"@example.com', ""),  # nobody in a directory has such an address
        (f"Original-Recipient: rfc822;{GRACE}\r\nFinal-Recipient: rfc822; g@inside.example", GRACE),
        ("Final-Recipient: utf-8; gräce@example.com", "gräce@example.com"),
        ("Final-Recipient: X400;/O=CORP/CN=grace", ""),
    ],
)
def test_whom_a_report_names(recipient: str, address: str) -> None:
    assert bounce(recipient).failed_recipient == address


@pytest.mark.parametrize(
    ("action", "fails"),
    [
        ("failed", True), ("Failed (bad destination)", True), ("delayed", False), ("relayed", False),
        ("delivered", False), ("expanded", False), ("(failed) delayed", False), ("", False),
    ],
)  # fmt: skip
def test_only_what_failed_failed_whatever_the_header_says(action: str, fails: bool) -> None:
    read = bounce(action=action, headers=f"X-Failed-Recipients: {GRACE}\r\n")
    assert (read.kind, read.failed_recipient) == ("bounce", GRACE if fails else "")


@pytest.mark.parametrize("encoding", ["", "7bit", "base64", "quoted-printable"])
@pytest.mark.parametrize(
    ("status_type", "returned_type"),
    [
        ("message/delivery-status", "message/rfc822"),
        ("message/delivery-status", "text/rfc822-headers"),
        ("message/global-delivery-status", "message/global"),
        ("message/global-delivery-status", "message/global-headers"),
    ],
)
def test_reports_of_all_forms(status_type: str, returned_type: str, encoding: str) -> None:
    read = bounce(status_type=status_type, returned_type=returned_type, encoding=encoding)
    assert (read.failed_recipient, read.ids) == (GRACE, IDS)


@pytest.mark.parametrize(
    ("returned", "ids"),
    [
        (f"Message-ID: {OURS}", IDS),
        (f"Message-ID: <010001@email.amazonses.com>\r\nReply-To: Acme <{TAGGED}>", IDS),
        (f"Message-ID: <x@y>\r\nReply-To:\r\n {TAGGED.upper()}", IDS),
        (f"Message-ID: {OURS}\r\nReply-To: {TAGGED}", IDS),
        (f"Message-ID: {OURS}\r\nReply-To: {TAGGED.replace('1042', '1043')}", None),
        ("Message-ID: <x@y>\r\nReply-To: grace@example.com", None),
        ("Message-ID: <1042.settled.abcdefghijklmnop@example.test>", None),
        ("nonsense", None),
    ],
)
def test_which_mail_came_back(returned: str, ids: tuple[int, int, str] | None) -> None:
    assert bounce(returned=returned).ids == ids


def test_the_header_counts_where_there_is_no_report() -> None:
    head = f"From: MAILER-DAEMON@mx.example.com\r\nX-Failed-Recipients: {GRACE}\r\n"
    assert read_reply(f"{head}\r\nSorry.\r\n".encode()).failed_recipient == GRACE


@pytest.mark.parametrize(
    "text", ["\r\n\r\n" * 100_000, "a" * 900_000, "a@" * 200_000, "=" * 900_000, "\\x{41}" * 90_000]
)
@pytest.mark.parametrize("encoding", ["", "base64", "quoted-printable"])
def test_hostile_reports_take_no_time(text: str, encoding: str) -> None:
    kinds = ["message/delivery-status", "message/rfc822", "text/calendar"] * 8
    field = f"Content-Transfer-Encoding: {encoding}\r\n"
    body = "".join(f"--b\r\nContent-Type: {kind}\r\n{field}\r\n{text}\r\n" for kind in kinds)
    mail = (
        f"From: MAILER-DAEMON@x.example\r\nContent-Type: multipart/report; boundary=b\r\n\r\n{body}--b--\r\n".encode()
    )
    start = time.perf_counter()
    assert read_reply(mail).kind == "bounce"
    assert time.perf_counter() - start < 10  # many times what it takes on an idle machine
