"""Which text is the sender's own: lines, quotes, signatures."""

from typing import Literal
from unicodedata import normalize

import pytest

from notifiers.email.folding import UNSURE
from notifiers.email.grammar.lexicon import lexicon
from notifiers.email.own_text import own_lines
from notifiers.email.own_text.signatures import signed


def own(text: str) -> str:
    return "\n".join(own_lines(text).lines).strip()


@pytest.mark.parametrize(
    "introduction",
    [
        "On Sat, Nov 21, 2026 at 10:05 AM Countersign <c@example.test> wrote:",
        "On Sat, Nov 21, 2026 at 10:05 AM Countersign <\nc@example.test> wrote:",
        "Am 21.11.2026 um 10:05 schrieb Countersign:",
        "Le sam. 21 nov. 2026 à 10:05, Countersign <c@example.test> a écrit :",
        "El sáb, 21 nov 2026 a las 10:05, Countersign (<c@example.test>) escribió:",
        "Em sáb., 21 de nov. de 2026 às 10:05, Countersign\n<c@example.test> escreveu:",
        "Il giorno sab 21 nov 2026 alle ore 10:05 Countersign ha scritto:",
        "Op za 21 nov 2026 om 10:05 schreef Countersign <c@example.test>:",
        "W dniu 21.11.2026 o 10:05, Countersign pisze:",
        "21 Kas 2026 Cmt, 10:05 tarihinde Countersign <c@example.test> şunu yazdı:",
        "Den lör 21 nov. 2026 kl 10:05 skrev Countersign <c@example.test>:",
        "2026年11月21日(土) 10:05 Countersign <c@example.test>:",
        "Countersign <c@example.test> 于2026年11月21日周六 10:05写道：",
        "Countersign wrote:",
    ],
)
def test_what_introduces_a_quote_is_nobodys_text(introduction: str) -> None:
    assert own(f"{introduction}\n> asks\n\nApproved") == "Approved"
    assert own(f"Approved\n\n{introduction}\n\n> asks") == "Approved"


@pytest.mark.parametrize(
    "below",
    [
        "-----Original Message-----\nanything",
        "From: C\nDate: today\nTo: G\nSubject: x\n\nanything",
        "*Von:* C\n*Gesendet:* heute\n*An:* G\n*Betreff:* x\n\nanything",
        "差出人: C\n送信日時: 今日\n宛先: G\n件名: x\n\nanything",
        "On 2026-11-21 10:05, C wrote:\n\nanything",
        "---- On Sat, 21 Nov 2026 10:05:00 +0100 C <c@example.test> wrote ----\nanything",
    ],
)
def test_what_stands_below_an_unmarked_quote_is_not_the_senders(below: str) -> None:
    assert own_lines(f"No\n\n{below}\nYes")[:2] == (["No", ""], False)


@pytest.mark.parametrize(
    "line", ["I do not approve what you wrote:", "No approval since 21.11.2026 10:00, C wrote:", "See:"]
)
def test_a_line_of_ones_own_above_a_quote_stays(line: str) -> None:
    assert own(f"{line}\n> asks\n\nApproved").startswith(line)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("around", ["{}", "\ufeff{}", "{}\u200e", "\u200f{}\u202c"])
@pytest.mark.parametrize(
    ("below", "forwarded"),
    [
        ("---------- İletilmiş ileti ---------", True),
        ("YÖNLENDİRİLMİŞ İLETİ:", True),
        ("开始转发的邮件：", True),
        ("İleti başlangıcı:", True),
        ("Début du message transféré :", True),
        ("---------- 転送されたメッセージ ---------", True),
        ("‐‐‐‐‐‐‐ Forwarded Message ‐‐‐‐‐‐‐", True),
        ("─────── Ｆｏｒｗａｒｄｅｄ ｍｅｓｓａｇｅ ───────", True),
        ("-----Özgün İleti-----", False),
        ("‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐", False),
        ("From: C\nEnvoyé : hier\nÀ : G\nObjet : x", False),
        ("On 21.11.2026 10:05, C wrote:", False),
    ],
)
def test_however_a_mark_is_written_it_is_one(below: str, forwarded: bool, around: str, form: Literal["NFC"]) -> None:
    lines = "\n".join(around.format(line) for line in normalize(form, below).split("\n"))
    assert own_lines(f"Yes\n{lines}\n\nNo")[:2] == (["Yes"], forwarded)


ATTRIBUTION = "On Sat, Nov 21, 2026 at 10:05 AM Countersign <c@example.test> wrote:"
LONG = "> " + "so many words that a program broke the line they stood in"  # 59 columns


@pytest.mark.parametrize(
    "rest", ["approve", "approve\nthanks", "approve this please, for all of the reasons above\nyes"]
)
def test_what_may_be_the_rest_of_a_quoted_line_answers_nothing(rest: str) -> None:
    assert own_lines(f"{LONG}\n{rest}").lines[0].startswith(UNSURE)
    assert own_lines(f"{LONG}\n{rest}", wrapped=False).lines == rest.split("\n")
    assert own(f"{LONG}\n\n{rest}") == own(f"> so few words\n{rest}") == rest


def test_the_rest_of_a_rest_is_as_unsure() -> None:
    assert [line[:1] for line in own_lines(f"{LONG}\n{LONG[2:]}\napprove\nyes").lines] == [UNSURE, UNSURE, "y"]


def test_wide_letters_fill_two_columns() -> None:
    assert own_lines("> " + "承" * 29 + "\n承認").lines == [UNSURE]
    assert own_lines("> " + "承" * 20 + "\n承認").lines == ["承認"]


@pytest.mark.parametrize(
    "marked",
    [
        ">>> Heidi <h@example.test> 11/21/2026 1:05 PM >>>",
        '>>> "Heidi" 21.11.26 13.05 Uhr >>>',
        "> On Nov 21, 2026, at 1:05 PM, Heidi <h@example.test> wrote:\n>",
        "> On Nov 21, 2026, at 1:05 PM, Heidi\n> <h@example.test> wrote:",
        "> Sent from my iPhone\n> On Nov 21, 2026, at 1:05 PM, Heidi <h@example.test> wrote:",
    ],
)
def test_what_a_marked_line_introduces_is_quoted_though_it_is_not_marked(marked: str) -> None:
    assert own(f"Please wait\n\n{marked}\n\nApprove") == "Please wait"


def test_what_stands_below_a_marked_quote_is_the_senders() -> None:
    marked = "> From: Heidi\n> Sent: today\n> To: x\n> Subject: y\n>\n> one\n> two\n> three"
    assert own(f"{ATTRIBUTION}\n{marked}\n\nApprove") == "Approve"
    assert own(f"{ATTRIBUTION}\n> Who: A, a@example.test\n> Why:\n\nApprove") == "Approve"


@pytest.mark.parametrize(
    "line",
    [
        "On hold until Monday",
        "On hold until 16:00",
        "Sunday at the earliest",
        "Mark must decide",
        "OPS-4711 only",
        "Until 16:00 please",
        "2026 budget is gone",
        "Ticket 4711 is closed, 12:30 was the deadline",
        "Am dagegen",
    ],
)
@pytest.mark.parametrize(
    "introduction", [ATTRIBUTION, "On 11/21/26 10:05, Countersign wrote:", ATTRIBUTION.replace("<", "\n<")]
)
def test_a_line_of_ones_own_right_above_an_introduction_stays(line: str, introduction: str) -> None:
    assert own(f"{line}\n{introduction}\n> asks\n\nApprove") == f"{line}\n\nApprove"
    assert own(f"Approve\n{line}\n{introduction}\n\nasks") == f"Approve\n{line}"


def test_a_name_may_hold_any_word_in_an_introduction_that_is_surely_one() -> None:
    for said in ("No dia 21/11/2026, às 10:05, C <c@x.test> escreveu:", ATTRIBUTION.replace("C", "No Approval C")):
        assert own(f"{said}\n> asks\n\nApprove") == "Approve"


def test_a_sentence_above_a_quote_is_no_introduction_for_its_verb_or_hour() -> None:
    for said in (
        "Please wait, see below what Bob wrote:",
        "Hold it until 16:00, because of this:",
        "Only after 21.11.2026 18:00, ask bob@example.test:",
        "See what bob@example.test wrote:",
        "Embargo\nBob wrote:",
    ):
        assert own(f"{said}\n> asks\n\nApprove").startswith(said)


HEADERS = [
    ["Fra: C <c@x.test>", "Sendt: 21. november 2026 13:00", "Til: G <g@x.test>", "Emne: Acme - Request - #7"],
    ["От: C <c@x.test>", "Отправлено: 21 ноября 2026 г. 13:00", "Кому: G", "Тема: Acme - Request - #7"],
    ["보낸 사람: C <c@x.test>", "보낸 날짜: 2026년 11월 21일 13:00", "받는 사람: G", "제목: Acme - Request - #7"],
    ["Gesendet: Samstag, 21. November 2026 um 13:00 Uhr", "Von: C <c@x.test>", "An: G", "Betreff: x"],
    ["| 发件人 | C<c@x.test> |", "| 日期 | 2026年11月21日 13:00 |", "| 收件人 | G |", "| 主题 | x |"],
]


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header[0].split()[0])
def test_a_copied_header_is_known_by_the_names_of_its_lines(header: list[str]) -> None:
    block = "\n".join(header)
    assert own(f"Reject\n\nTicket: 4711\n\n{block}\n\nApprove") == "Reject\n\nTicket: 4711"
    assert own(f"Reject\n\nTicket: 4711\n{block}\n\nApprove") == "Reject\n\nTicket: 4711"


def test_a_copied_header_begins_with_from_or_its_moment() -> None:
    header = "From: C\nSent: 21. november 2026 13:00\nSubject: x"
    assert own(f"Reject\nSubject: not today\n{header}\nApprove") == "Reject\nSubject: not today"
    assert own(f"Reject\nDate: not before Monday\n\n{header}\nApprove") == "Reject\nDate: not before Monday"


@pytest.mark.parametrize(
    "comment",
    [
        "Ticket: 4711\nOwner: bob@example.test\nUntil: 21.11.2026 16:00",
        "Note: only today\nAsk: bob@example.test\nRoom: 12\nBudget: 2026",
        "From: 14:00\nTo: 16:00",
    ],
)
def test_a_list_in_a_comment_is_no_copied_header(comment: str) -> None:
    assert own(f"Approve\n\n{comment}") == f"Approve\n\n{comment}"


def test_a_line_that_is_cut_says_so() -> None:
    assert own_lines("Approve" + " " * 2_000 + "only if Bob agrees").lines[0].endswith(UNSURE)
    assert own_lines("x" * 2_000).lines == ["x" * 2_000]


def test_a_forwarded_mail_is_told_from_an_answered_one() -> None:
    assert own_lines("Yes\n\n---------- Forwarded message ---------\nFrom: C\n").forwarded
    assert own_lines("Yes\n\nBegin forwarded message:\n\nFrom: C\n").forwarded
    assert not own_lines("Yes\n\n> ---------- Forwarded message ---------\n").forwarded


@pytest.mark.parametrize(
    "mark",
    [
        "--",
        "-- ",
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Best regards,",
        "敬具",
        "從我的 iPhone 傳送",
        "Outlook for iOS を入手",
        "iPhone-ról küldve",
        "Galaxy'mden gönderildi",
        "Отправлено с iPhone",
        "━━━━━━━━━━━━━━━━━━━━\n山田太郎\n━━━━━━━━━━━━━━━━━━━━",
    ],
)
def test_a_signature_is_cut(mark: str) -> None:
    below = mark.split("\n")
    phone = len(below) == 1 and not mark.startswith(("-", "Best", "敬"))
    said = signed(["Yes", *below, *["Grace"] * (len(below) == 1)], lexicon()).own
    assert said == (["Yes", "Grace"] if phone else ["Yes"])


def test_a_long_rule_above_a_copied_header_is_no_comment() -> None:
    block = "________________________________\nFrom: C\nSent: today\nTo: G\nSubject: x\n\nanything"
    assert signed(own_lines(f"No\n\n{block}\nYes").lines, lexicon()).own == ["No", ""]


@pytest.mark.parametrize("line", ["Ship the iPhone to Bob", "-----", "Use the Galaxy only"])
def test_what_only_looks_like_a_signature_stays(line: str) -> None:
    assert signed(["Yes", line, "Grace"], lexicon()).own == ["Yes", line, "Grace"]


def test_a_closing_in_the_middle_of_a_long_text_is_kept() -> None:
    lines = ["Yes", "Best", *["more"] * 20]
    assert signed(lines, lexicon()).own == lines


OURS = "> Reply with APPROVE or REJECT as the first line; a comment may follow."


def test_marked_lines_that_nothing_attributes_are_no_quote_of_ours() -> None:
    assert own_lines("Approved\n> but only until 18:00").marked == ["but only until 18:00"]
    assert own_lines(f"Approved\n> Alice asks\n{OURS}").marked == []
    assert own_lines(f"Approved\n\n{ATTRIBUTION}\n> Alice asks").marked == []
    assert own_lines("Approved\n> On Nov 21, 2026, at 1:05 PM, C <c@example.test> wrote:\n>\n> asks\n").marked == []


def test_an_answer_below_a_quote_needs_our_own_instruction_in_it() -> None:
    assert own_lines(f"{ATTRIBUTION}\n> Lunch?\n\nYes").foreign
    assert not own_lines(f"{ATTRIBUTION}\n> Alice asks\n{OURS}\n\nYes").foreign
    assert not own_lines(f"{ATTRIBUTION}\n> Reply with APPROVE or\n> REJECT as the first line\n\nYes").foreign
    assert not own_lines(f"Yes\n\n{ATTRIBUTION}\n> Lunch?").foreign
