"""Random and mutated mails: each is read as some Reply, and what hides or reverses an answer never decides."""

import html
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from notifiers.email.folding import UNSURE
from notifiers.email.grammar import read_line
from notifiers.email.grammar.lexicon import lexicon
from notifiers.email.html import html_text
from notifiers.email.reply import read_reply

MAILS = sorted((Path(__file__).parents[2] / "mails").glob("*.eml"))
HEAD = b"From: grace@example.com\r\nTo: countersign@example.test\r\nSubject: Re: x\r\n"
WORDS = lexicon()
ANSWERS = sorted(phrase for phrase in {*WORDS.approve, *WORDS.reject} if phrase not in WORDS.ambiguous)

mails = st.sampled_from(MAILS).map(Path.read_bytes)
answers = st.sampled_from(ANSWERS)
snippets = st.sampled_from(
    [
        *(
            b"\r",
            b"\n",
            b"\n\n",
            b"\0",
            b"--",
            b"<",
            b">",
            b"<!--",
            b"-->",
            b"<s>",
            b"</div>",
            b"=?",
            b"?=",
            b'"',
            b"=",
            b";",
        ),
        *(
            b"\xff",
            b"boundary",
            b"hidden ",
            b"style='display:none'",
            b"charset=utf-16",
            b"base64",
            b"\xe2\x80\xae",
            b"&#x202e;",
        ),
        *(
            b" \n",
            b"From: x@example.net\n",
            b"Content-Type: text/html\n",
            b"Content-Type: multipart/alternative; boundary=b\n",
        ),
    ]
)
tags = st.sampled_from(
    [
        *("<p>", "</p>", "<div>", "</div>", "<s>", "</s>", "<b>", "</b>", "<blockquote>", "</blockquote>", "<table>"),
        *(
            "<tr>",
            "<td>",
            "</td>",
            "</table>",
            "<br>",
            "<hr>",
            "<!--",
            "-->",
            "<!-->",
            "<style>",
            "</style>",
            "<title>",
        ),
        *("</title>", "<p hidden>", "<div style='display:none'>", "<span style='color:#fff'>", "<font size=1>", "<li>"),
        *("<pre>", "</pre>", "<a href='", "'>", "&nbsp;", "&#0;", "<![endif]>", "<!--[if !mso]><!-->", "<img src=x>"),
        *("<input>", "<", ">", "Approved", "not", " ", "\n"),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=2_000))
def test_any_bytes_are_read(raw: bytes) -> None:
    assert read_reply(raw).code != "broken"
    assert read_reply(HEAD + b"\r\n" + raw).code != "broken"
    assert read_reply(HEAD + raw).code != "broken"


@settings(max_examples=300, deadline=None)
@given(mails, st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), snippets), min_size=1, max_size=6))
def test_a_damaged_mail_is_read(raw: bytes, damages: list[tuple[float, int, bytes]]) -> None:
    for place, length, snippet in damages:
        at = int(place * len(raw))
        raw = raw[:at] + snippet + raw[at + length :]
    read = read_reply(raw)
    assert read.code != "broken"
    assert (read.verdict == "none") == bool(read.reason)


@settings(max_examples=150, deadline=None)
@given(mails, mails, st.floats(0, 1))
def test_two_mails_run_together_are_read(one: bytes, two: bytes, place: float) -> None:
    assert read_reply(one[: int(place * len(one))] + two).code != "broken"


@settings(max_examples=300, deadline=None)
@given(st.lists(tags, max_size=60).map("".join))
def test_any_html_is_read_and_what_encloses_it_hides_it(soup: str) -> None:
    read = read_reply(HEAD + b"Content-Type: text/html; charset=utf-8\r\n\r\n" + soup.encode())
    assert read.code != "broken"
    if "</" not in soup and "<!" not in soup and "'>" not in soup and "<a" not in soup and "<style>" not in soup:
        shown = html_text(f"<s>{soup}")
        assert "Approved" not in shown or UNSURE in shown


@settings(max_examples=200, deadline=None)
@given(answers, st.text(min_size=1, max_size=20))
def test_a_line_answers_only_whole(answer: str, more: str) -> None:
    plain = read_line(answer).verdict
    assert plain != "none"
    for line in (f"{answer} {more}", f"{more} {answer}", f"{answer}{more}", f"{more}{answer}"):
        assert read_line(line).verdict in {"none", plain, "reject"}


@settings(max_examples=200, deadline=None)
@given(
    answers,
    st.sampled_from(
        ["not", "never", "nicht", "pas", "não", "niet", "nie", "inte", "değil", "不", "no", "?", "or", "if", "but"]
    ),
)
def test_a_turning_word_beside_an_answer_decides_nothing(answer: str, word: str) -> None:
    for line in (f"{word} {answer}", f"{answer} {word}", f"{answer}, {word}", f"Hi {word}, {answer}?"):
        assert read_line(line).verdict in {"none", "reject"}


@settings(max_examples=200, deadline=None)
@given(
    answers,
    st.sampled_from("\u200b\u200d\u00ad\u202e\u2066\u200e\u0336\u0338\u20dd\ufe0f\u2060\u034f\u115f\U000e0041"),
    st.floats(0.01, 0.99),
)
def test_an_unseen_sign_within_an_answer_decides_nothing(answer: str, sign: str, place: float) -> None:
    at = max(1, min(len(answer) - 1, int(place * len(answer)))) if len(answer) > 1 else 0
    assert len(answer) == 1 or read_line(answer[:at] + sign + answer[at:]).verdict == "none"


@settings(max_examples=100, deadline=None)
@given(
    answers,
    st.sampled_from(
        [
            "display:none",
            "opacity:0",
            "text-decoration: line-through",
            "visibility:hidden",
            "font-size:0px",
            "color:white",
            "left:-99em;position:fixed",
        ]
    ),
    st.booleans(),
)
def test_what_is_not_shown_is_not_said(answer: str, style: str, nested: bool) -> None:
    inner = f"<b><i>{html.escape(answer)}</i></b>" if nested else html.escape(answer)
    body = f"<html><body><div style='{style}'>{inner}</div></body></html>"
    read = read_reply(HEAD + b"Content-Type: text/html; charset=utf-8\r\n\r\n" + body.encode())
    assert read.verdict == "none"
