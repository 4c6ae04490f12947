"""Mails made to be slow: big, deep, repetitive. Each is read, refused or cut; the benchmarks measure how fast."""

import pytest

from notifiers.email import limits
from notifiers.email.reply import read_reply

HEAD = b"From: grace@example.com\nTo: countersign@example.test\nSubject: Re: x\nMIME-Version: 1.0\n"
MUCH = 400_000


def typed(kind: str, body: bytes, header: bytes = b"") -> bytes:
    return HEAD + b"Content-Type: " + kind.encode() + b"\n" + header + b"\n" + body


def nested(depth: int) -> bytes:
    levels = (b'--b%d\nContent-Type: multipart/mixed; boundary="b%d"\n\n' % (n, n + 1) for n in range(depth))
    return typed('multipart/mixed; boundary="b0"', b"".join(levels))


def many(part: bytes, count: int = limits.MOST_TEXTS) -> bytes:
    return typed('multipart/mixed; boundary="b"', (b"--b\n" + part) * count + b"--b--\n")


SHAPES = {
    "newlines": b"\n" * MUCH,
    "nulls": b"\0" * MUCH,
    "header fields": b"A: b\n" * MUCH,
    "a long header": b"From: " + b"a," * MUCH,
    "a long address": b"From: " + b"a" * 3_000 + b"@" + b"b" * 900 + b"\n\nyes",
    "open comments": b"From: " + b"(" * 3_900 + b"\n\nyes",
    "open quotes": b'From: "' + b'\\"' * 1_900 + b"\n\nyes",
    "half addresses": HEAD.replace(b"To: ", b"To: " + b"aaaa+1-1-" * 7_000) + b"\nyes",
    "open quotes in To": HEAD.replace(b"To: ", b'To: "' + b'\\"' * 30_000) + b"\nyes",
    "open comments in To": HEAD.replace(b"To: ", b"To: " + b"(\\(" * 20_000) + b"\nyes",
    "spaces in To": HEAD.replace(b"To: ", b"To: a@b" + b" " * 60_000 + b"c") + b"\nyes",
    "half ids": HEAD + b"References: " + b"<" * 60_000 + b"\n\nyes",
    "half encoded words": HEAD.replace(b"Re: x", b"=?a?q?" * 10_000) + b"\nyes",
    "quotes in Content-Type": typed("text/plain" + ';"' * 1_900, b"yes"),
    "pieces of a parameter": typed("text/plain" + "".join(f";a*{n}=x" for n in range(300)), b"yes"),
    "many parts": many(b"\nyes\n", 3_000),
    "many half delimiters": typed('multipart/mixed; boundary="b"', b"--b x\n" * MUCH),
    "nested too deep": nested(2_000),
    "nested up to the cap": nested(limits.DEEPEST_PART) + b"\n--b" * MUCH,
    "spaces": typed("text/plain", b" " * MUCH),
    "quotes": typed("text/plain", b"> x\n" * MUCH),
    "introductions": typed("text/plain", (b"On 2026 10:00 a@b wrote" * 15 + b":\n") * 2_000),
    "header blocks": typed("text/plain", b"From: x\n" * MUCH),
    "full stops": typed("text/plain", b"Yes\n" + (b". " * 59 + b"\n") * 2_000),
    "words": typed("text/plain", b"Yes\n" + (b"a " * 59 + b"\n") * 2_000),
    "long lines below": typed("text/plain", b"Yes\n" + (b"abc " * 499 + b"\n") * 900),
    "long lines of one word": typed("text/plain; charset=utf-8", ("はい\n" + ("あ" * 650 + "\n") * 900).encode()),
    "questions": typed("text/plain", b"Yes\n" + (b"a? " * 600 + b"\n") * 22),
    "marks of questions": typed("text/plain", b"Yes\n" + (b"?" * 1_800 + b"a\n") * 22),
    "flowing": typed("text/plain; format=flowed", b"a \n" * MUCH),
    "flowing blank lines": typed("text/plain; format=flowed", b" \n" * MUCH),
    "flowing lines among blank ones": typed("text/plain; format=flowed", (b"a \n" + b" \n" * 300) * (MUCH // 600)),
    "flowing quotes": typed("text/plain; format=flowed", b">" * MUCH),
    "marks": typed("text/plain; charset=utf-8", ("a" + "\u0301\u0323" * MUCH).encode()),
    "base64 of spaces": typed("text/plain", b" " * MUCH + b"!", b"Content-Transfer-Encoding: base64\n"),
    "a slow charset": typed("text/plain; charset=punycode", b"a-" * MUCH),
    "tags": typed("text/html", b"<div>" * MUCH),
    "hidden tags": typed("text/html", b"<b hidden>" * 190 + b"<p>" * MUCH),
    "end tags": typed("text/html", b"<b>" * 190 + b"</x>" * MUCH),
    "attributes": typed("text/html", b"<a " + b"a=b " * MUCH),
    "open attributes": typed("text/html", b"<a a='\"" * MUCH),
    "angle brackets": typed("text/html", b"<" * MUCH),
    "comments": typed("text/html", b"<!--" + b"--!" * MUCH),
    "rules": typed("text/html", b"<style>" + b"a{b:c}" * 16_000 + b"</style>x"),
    "selectors": typed("text/html", b"<style>" + b"a," * 49_000 + b"{left:1e9px}</style>x"),
    "declarations": typed("text/html", b"<p style='" + b"a:b;" * MUCH + b"'>x"),
    "references": typed("text/html", b"&amp" * MUCH),
    "a number's digits": typed("text/html", b"&#1" + b"1" * MUCH),
    "blockquotes": typed("text/html", b"<blockquote>" * 190 + b"<br>x" * MUCH),
    "many HTML parts": many(b"Content-Type: text/html\n\n" + b"<b hidden>" * 190 + b"<p>x" * 11_000 + b"\n"),
    "many flowing parts": many(b"Content-Type: text/plain; format=flowed\n\n" + b"a \n" * 20_000),
    "too many texts": many(b"\nyes\n", limits.MOST_TEXTS + 1),
    "too large": HEAD + b"\nyes\n" + b"x" * limits.LARGEST_MAIL,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_mail_made_to_be_slow_is_read_or_refused(shape: str) -> None:
    read = read_reply(SHAPES[shape])
    assert read.code != "broken"
    assert bool(read.reason) == (read.verdict == "none")


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ("header fields", "too_many_headers"),
        ("a long header", "too_many_headers"),
        ("many parts", "too_many_parts"),
        ("nested too deep", "too_many_parts"),
        ("too many texts", "too_many_parts"),
        ("too large", "too_large"),
    ],
)
def test_a_cap_is_named(shape: str, code: str) -> None:
    assert read_reply(SHAPES[shape]).code == code


def test_an_answer_above_what_is_cut_still_counts() -> None:
    files = b"--b\nContent-Type: application/pdf\n\n" + b"x" * 5_000_000 + b"\n"
    assert (
        read_reply(typed('multipart/mixed; boundary="b"', b"--b\n\nApproved\n" + files + b"--b--")).verdict == "approve"
    )
    assert read_reply(typed("text/plain", b"Approved\n\n" + b"> quoted\n" * MUCH)).verdict == "approve"
