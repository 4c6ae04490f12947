"""The charsets of mails, by all their names, and what is left of texts that are cut."""

import base64

import pytest

from notifiers.email import limits
from notifiers.email.mime.charset import codec_of
from notifiers.email.reply import Reply, read_reply

HEAD = b"From: grace@example.com\nTo: countersign@example.test\nSubject: Re: x\nMIME-Version: 1.0\n"
MUCH = limits.LARGEST_TEXT


def read(kind: str, body: bytes, *, packed: bool = False) -> Reply:
    encoding = b"Content-Transfer-Encoding: base64\n" if packed else b""
    body = base64.encodebytes(body) if packed else body
    return read_reply(HEAD + b"Content-Type: " + kind.encode() + b"\n" + encoding + b"\n" + body)


# For each charset of the WHATWG Encoding Standard, the names that Python doesn't know or takes for something else.
@pytest.mark.parametrize(
    ("labels", "codec"),
    [
        ("utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8 utf8mb4 cp65001", "utf-8"),
        ("866 ibm866 csibm866", "cp866"),
        ("iso-8859-2 iso88592 l2 latin2 iso-ir-101 iso_8859-2:1987", "iso8859-2"),
        ("iso-8859-6 iso-8859-6-e csiso88596i asmo-708 ecma-114", "iso8859-6"),
        ("iso-8859-8-i iso-8859-8-e csiso88598e logical visual iso_8859-8:1988", "iso8859-8"),
        ("csisolatin9 iso885915 l9 iso_8859-15", "iso8859-15"),
        ("koi8_r koi8 koi cskoi8r", "koi8-r"),
        ("koi8-ru koi8-u", "koi8-u"),
        ("csmacintosh mac x-mac-roman macintosh", "mac-roman"),
        ("x-mac-ukrainian", "mac-cyrillic"),
        ("dos-874 iso-8859-11 iso885911 tis-620 windows-874", "cp874"),
        ("x-cp1250 windows-1250", "cp1250"),
        ("iso-8859-1 latin1 l1 ibm819 csisolatin1 iso88591 x-cp1252 ansi", "cp1252"),
        ("iso-8859-9 latin5 l5 iso-ir-148 x-cp1254 iso_8859-9:1989", "cp1254"),
        ("chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk ms936 windows-936", "gb18030"),
        ("big5 big5-hkscs cn-big5 csbig5 x-x-big5", "big5hkscs"),
        ("euc-jp x-euc-jp cseucpkdfmtjapanese", "euc_jp"),
        ("iso-2022-jp csiso2022jp", "iso2022_jp_ext"),
        ("shift_jis shift-jis sjis x-sjis ms932 ms_kanji csshiftjis windows-31j", "cp932"),
        (
            "euc-kr cseuckr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949",
            "cp949",
        ),
        ("cspc850multilingual ibm850 850", "cp850"),
        ("utf-7 unicode-1-1-utf-7", "utf-7"),
        ("idna punycode base64 rot13 x-unknown 8bit unknown-8bit é", ""),
    ],
)
def test_a_charset_has_many_names(labels: str, codec: str) -> None:
    assert {label: codec_of(label) for label in labels.split()} == dict.fromkeys(labels.split(), codec)


@pytest.mark.parametrize(
    ("label", "text", "codec", "verdict"),
    [
        ("windows-31j", "承認", "cp932", "approve"),
        ("chinese", "拒絕", "gbk", "reject"),
        ("big5", "却下", "big5hkscs", "reject"),
        ("x-cp1252", "Approuvé", "cp1252", "approve"),
        ("unknown-8bit", "Approuvé", "utf-8", "approve"),
        ("x-unknown", "Approved", "ascii", "approve"),
        ("x-unknown", "Approuvé", "cp1252", "none"),
        ("utf-16", "Approved", "utf-16", "approve"),
        ("utf-16", "Approved", "utf-16-le", "approve"),
        ("utf-32", "Approved", "utf-32", "approve"),
        ("utf-16", "\ufeffApproved", "utf-16-be", "approve"),
        ("utf-16", "Approved", "utf-16-be", "none"),
        ("utf-7", "Godkänt", "utf-7", "approve"),
        ("utf-7", "Approved", "ascii", "approve"),
    ],
)
def test_a_text_is_read_in_the_charset_its_name_means(label: str, text: str, codec: str, verdict: str) -> None:
    assert read(f"text/plain; charset={label}", text.encode(codec), packed=True).verdict == verdict


@pytest.mark.parametrize(
    ("label", "body", "verdict"),
    [
        ("utf-7", "+ADw-!-- No, ask Bob --+AD4-Approved", "none"),
        ("utf-16", "Approuvé", "approve"),
        ("windows-1254", "Onaylıyorum", "none"),
    ],
)
def test_html_may_not_call_itself_what_it_cannot_be(label: str, body: str, verdict: str) -> None:
    assert read("text/html", f'<meta charset="{label}"><p>{body}</p>'.encode()).verdict == verdict


FILLER = " " * (MUCH + 10)
BLANKS = (" " * 1_500 + "\n") * (MUCH // 1_501) + "\n" * (MUCH % 1_501 - 8)  # "Approved" after it ends at the cap


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", f"{BLANKS}Approved only if Bob agrees"),
        ("text/plain; charset=koi8-r", f"{BLANKS}Approved only if Bob agrees"),
        ("text/html", f"<p>Approved{FILLER}only if Bob agrees"),
        ("text/html", f"<p>Approved<span hidden>{FILLER}</span> only if Bob agrees"),
        ("text/html", f"<p>Approved<i title='{FILLER}'></i> only if Bob agrees"),
        ("text/html", f"<p>Approved<!--{FILLER}--> only if Bob agrees"),
        ("text/plain; format=flowed; delsp=yes", "Approved \n" + "  \n" * 4_000 + " only if Bob agrees"),
    ],
)
def test_a_line_that_was_cut_is_no_answer(kind: str, body: str) -> None:
    assert read(kind, body.encode()).verdict == "none"


def test_a_text_not_in_its_charset_is_cut_sooner_and_says_so() -> None:
    broken = b"\xa1" * (MUCH // limits.BROKEN_TEXT_SHARE)
    assert read("text/plain; charset=cp856", b"Approved\n\n> x\n" + broken).verdict == "approve"
    above = BLANKS[-(MUCH // limits.BROKEN_TEXT_SHARE) + len("Approved") :].encode()
    assert read("text/plain; charset=cp856", above + b"Approved only if \xa1").verdict == "none"
    assert read("text/plain; charset=cp856", above + b"Approved").verdict == "approve"


def test_a_letter_that_a_cap_divides_does_not_change_the_charset() -> None:
    text = "Approuvé\n" + "x" * (MUCH % 2) + "é" * MUCH
    assert read("text/plain", text.encode()).verdict == "approve"
    assert read("text/plain", b"x" + text.encode()).verdict == "none"


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("Approved \n \n \nonly if Bob agrees", "none"),
        ("Approved \n \n\n> Is this fine?", "approve"),
        ("Approved\n \n> Is this fine?", "approve"),
        (" \nApproved", "approve"),
        ("Approved \n\n> Is this fine?", "approve"),
    ],
)
def test_a_line_of_one_space_may_join_what_flows(body: str, verdict: str) -> None:
    assert read("text/plain; format=flowed", body.encode()).verdict == verdict


@pytest.mark.parametrize("comment", ["not today", "not on sunday", "not on sundays"])
def test_nothing_is_left_out_of_base64_without_its_padding(comment: str) -> None:
    head = HEAD + b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
    assert read_reply(head + base64.b64encode(f"Rejected\n{comment}".encode()).rstrip(b"=")).comment == comment
