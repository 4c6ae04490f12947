"""What is where in a mail, and which mails can be read in two ways."""

import pytest

from notifiers.email import limits
from notifiers.email.reply import Reply, read_reply

HEAD = b"From: grace@example.com\nTo: countersign@example.test\nSubject: Re: x\nMIME-Version: 1.0\n"
MIXED = b"Content-Type: multipart/mixed; boundary=x\n\n"


def read(body: bytes, head: bytes = HEAD) -> Reply:
    return read_reply(head + body)


@pytest.mark.parametrize(
    "notice",
    [
        "",
        "\n\n",
        "This is a multi-part message in MIME format.\n",
        "This is an OpenPGP/MIME signed message (RFC 4880 and 3156)\n",
        "This is a cryptographically signed message in MIME format.\n\n",
        "Dies ist eine mehrteilige Nachricht im MIME-Format.\n",
        "Il s'agit d'un message multivolet au format MIME.\n",
        "  This message is in MIME format.  The first part should be readable text,\n"
        "  while the remaining parts are likely unreadable without MIME-aware tools.\n\n",
    ],
)
def test_above_its_parts_a_mail_may_say_that_it_has_parts(notice: str) -> None:
    assert read(MIXED + notice.encode() + b"--x\n\nApproved\n--x--\n").verdict == "approve"


@pytest.mark.parametrize(
    "hidden",
    [
        "I would rather not.\n\nBob asks:\n",
        "No.\n\n-----Original Message-----\nFrom: Countersign\nWhy: for MIME\n",
        "This is a multi-part message in MIME format.\n" + "x\n" * 300,
        "This is a multi-part message in MIME format.\n--meant\n\nNo.\n\nBob asks:\n",
        "This is a multi-part message in MIME format.\n\nNo.\n",
        "--MIME delimiter\nNo.\n",
    ],
)
def test_an_unsigned_content_type_can_hide_nothing_above_the_parts(hidden: str) -> None:
    parts = hidden.encode() + b"--x\n\nApproved\n--x--\n"
    assert (read(MIXED + parts).verdict, read(MIXED + parts).code) == ("none", "malformed")
    within = b"Content-Type: multipart/mixed; boundary=outer\n\n--outer\n" + MIXED + parts + b"--outer--\n"
    assert read(within).code == "malformed"


@pytest.mark.parametrize(
    "field", [b"From : mallory@example.org\n", b"From \t: mallory@example.org\n", b"Bcc: a@b\nBcc: a@c\n"]
)
def test_a_field_that_must_come_once_is_found_twice_however_it_is_written(field: bytes) -> None:
    assert read(b"\nApproved\n", field + HEAD).verdict == "none"
    assert read(b"\nApproved\n", b"From grace@example.com Sat Nov 21\n" + HEAD).verdict == "approve"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_of_white_space_continues_a_field(end: str) -> None:
    """Exim writes SpamAssassin's report (`$spam_report`) like this, with empty lines in its middle."""
    report = "X-Ham-Report: no spam\n Content preview: x\n \n Content analysis details:\n \t\n \n pts rule\n \n"
    for head in (report + HEAD.decode(), HEAD.decode() + report, HEAD.decode().replace("Re: x", "Re:\n \n x\n ")):
        assert read_reply(f"{head}\nApproved\n".replace("\n", end).encode()).verdict == "approve"


def test_what_some_read_as_the_text_below_a_line_of_white_space_is_refused() -> None:
    for text in (b"No.\n\nApproved\n", b"Well then\n\nApproved\n", b"\xf0\x9f\x91\x8d: no\n\nApproved\n"):
        assert read(b" \n" + text).code == "malformed"
    assert read(b" \nX-A: b\n\nApproved\n").verdict == "approve"
    assert read_reply(b" \n" + HEAD + b"\nApproved\n").code == "malformed"


def test_a_part_that_says_twice_how_it_is_shown_is_not_read() -> None:
    shown = b"Content-Disposition: inline\nContent-Disposition: attachment; filename=a.txt\n"
    assert read(MIXED + b"--x\n" + shown + b"\nApproved\n--x--\n").code == "malformed"


def test_an_alternative_that_was_cut_off_is_not_read() -> None:
    text, html = b"--x\n\nApproved\n", b"--x\nContent-Type: text/html\n\n<p>Approved</p>\n"
    kind = b"Content-Type: multipart/alternative; boundary=x\n\n"
    assert read(kind + text).code == "malformed"
    assert read(kind + text + html[:-12]).verdict == "none"
    for whole in (text + html, text + html + b"--x--\n", text + b"--x--\n"):
        assert read(kind + whole).verdict == "approve"


def test_all_headers_of_a_mail_share_one_cap() -> None:
    part = b"--x\nX-A: b" + b"\n c" * 15_000 + b"\n\n"
    fine = b"--x\n\nApproved\n"
    assert read(MIXED + fine + part * 2 + b"--x--\n").verdict == "approve"
    assert (
        read(MIXED + fine + part * (limits.LARGEST_HEADER_BLOCK // len(part) + 1) + b"--x--\n").code
        == "too_many_headers"
    )


@pytest.mark.parametrize(
    ("kind", "second", "verdict"),
    [
        (b"signed", b"Content-Type: application/pgp-signature\n\nx", "approve"),
        (b"signed", b"Content-Type: application/octet-stream; name=signature.asc\n\nx", "approve"),
        (b"signed", b"Content-Type: text/plain\n\nApproved", "none"),
        (b"appledouble", b"Content-Type: text/plain\n\nApproved", "none"),
        (b"mixed", b"Content-Type: text/plain\n\nApproved", "approve"),
    ],
)
def test_what_is_no_text_by_its_place_does_not_answer(kind: bytes, second: bytes, verdict: str) -> None:
    first = b"Approved" if verdict == "approve" and kind == b"signed" else b""
    body = b"Content-Type: multipart/" + kind + b"; boundary=x\n\n--x\n\n" + first + b"\n--x\n" + second + b"\n--x--\n"
    assert read(body).verdict == verdict


def test_a_message_signed_inside_a_file_is_not_called_encrypted() -> None:
    told = read(MIXED + b"--x\nContent-Type: application/pkcs7-mime; name=smime.p7m\n\nx\n--x--\n")
    assert (told.code, "encrypted" in told.reason) == ("encrypted", False)
