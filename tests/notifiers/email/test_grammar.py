"""What one line answers, and what the lines below it do to it."""

import pytest

from notifiers.email.grammar import read_line, runs_on, takes_back
from notifiers.email.grammar.tables import APPROVE, REJECT

NAMES = frozenset({"grace", "hopper", "jean", "luc", "o", "connor", "\ufffdиван", "g"})


def verdict(line: str) -> str:
    return read_line(line, NAMES).verdict


@pytest.mark.parametrize(
    "line",
    [
        "Approved", "APPROVE!", "approve...", "Approved…", "yes,approved", "O.K.", "*Approved*", "Yes - go ahead",
        "Hi Bob, approved.", "Dear Mr. Jones, approved", "Hello, yes", "Approved, Grace", "Approved, thanks Bob",
        "OK, thanks. Best regards, Grace", "Approved, Jean-Luc", "Yes, O'Connor", "Hi Ștefan, approved",
        "Hi Nguyễn, approved", "Approved by me", "OK for me", "Per me va bene", "Wat mij betreft akkoord",
        "Approved 👍", "✅ Approved", "Yes 👍🏽", "I approve the request", "Access granted", "Zugriff genehmigt",
        "Hiermit genehmigt.", "Apruebo la solicitud", "La demande est approuvée.", "Aprovo o pedido", "d´accord",
        "Si'", "Sì, grazie", "yes please", "Approve please", "Hi Will, approved", "OK, have a nice day",
        "Hi 田中さん、承認します", "Merhaba ahmet bey, onaylıyorum", "Yes, please", "Bestaetigt", "はい！！",
        "同意。。", "はい｡", "ＯＫ, thanks", "承認て\u3099す", "OKです", "承認致しました", "田中様、承認します",
        "お疲れ様です。佐藤です。承認します。", "王经理您好，同意", "kabul edi\u0307yorum",
        "Merhaba Ahmet Bey, onaylıyorum",
    ],
)  # fmt: skip
def test_a_plain_yes_is_one(line: str) -> None:
    assert verdict(line) == "approve"


@pytest.mark.parametrize(
    "line",
    [
        "Rejected", "No.", "No thanks", "No, sorry", "Sorry, no.", "Leider nein.", "Lo siento, no",
        "Mi dispiace, no", "Nee, helaas", "Rejected ❌", "Hi Bob, no", "I reject the request", "Access denied",
        "Accesso negato", "Zurueckgewiesen", "いいえ！！", "却下です。", "申し訳ありません、却下します", "拒绝！！",
        "Odmowa", "reddedildi",
    ],
)  # fmt: skip
def test_a_plain_no_is_one(line: str) -> None:
    assert verdict(line) == "reject"


@pytest.mark.parametrize(
    "line",
    [
        # A "please" is followed by a verb, and asks somebody else for it.
        "Ok, please explain.", "Yes, please clarify", "OK, bitte warten", "Tak, proszę odmówić",
        "No, please proceed", "Please ignore. Approved.", "Please Bob, approve", "Please, approve",
        "Sí, por favor espere", "tamam, lütfen reddediniz", "Onay rica ederim", "Grace, approve this request",
        "Hi Carol, approve it", "Approve this, please", "Hi Bob, approve please", "Hallo Alice, freigeben, bitte",
        "Ok, beste wachten", "onaylayın",
        # No name hides an answer, a negation or a question.
        "Hi Not, approved", "Hi nøt, approved", "Hi noŧ, approved", "Hi not-ready, approved", "Hi disapproved, yes",
        "Hi unapproved, yes", "Merhaba onaylamıyorum, tamam", "Hej ogodkänd, ok", "Hi 不批准，同意",
        "你好 不可以, 同意", "Hi だめ, はい", "Hi нет, approved", "Approved, thanks nevermind", "OK, best ignore",
        "Ciao Ma, approvato", "Approved, Kidding", "Approved, thanks not-yet",
        # "Si" without its accent is "if" beside another answer; words of two languages are no sentence of one.
        "Approuvé si", "Si oui", "si ok", "oui, si", "Conforme aprovado",
        # Signs that say something else, or nothing.
        "Approved 👎", "Approved ❌", "👍", "👍 👎 approved", "Rejected 👍", "✅", "Approved ;)",
        # By anybody else it is hearsay.
        "Approved by Bob", "approved by him", "Bob approved", "Approved for him", "Sorry, approved", "Approved?",
        "not approved", "Approve, not", "approve reject", '"APPROVE"', "- approve", "n\u0336o\u0336t approved",
        "approv\u0435", "＼approve", "appro\u200bve", "ⓐpprove", "n̶o",
    ],
)  # fmt: skip
def test_anything_else_is_no_answer(line: str) -> None:
    assert verdict(line) == "none"


@pytest.mark.parametrize(
    "line",
    [
        "Hi,", "Hi Bob,", "Dear Mr. Jones,", "Hola Bob:", "Estimado Bob:", "Hi, Bob", "Hi Bob, thanks.", "Hi Will,",
        "Hi Grant,", "Hi May,", "Hi Bob and Alice,", "Sehr geehrte Frau Dr. Meyer,", "Madame, Monsieur,", "Grace,",
        "Hi Иван,", "王经理：", "您好：", "王经理，您好：", "田中様", "お疲れ様です。佐藤です。", "Merhaba Can Bey,",
        "Szanowny Panie,", "Hi 田中さん、", "Thanks!", "Hi 김민수,", "Hello Γιώργος,",
    ],
)  # fmt: skip
def test_a_salutation_leaves_the_answer_to_the_line_below(line: str) -> None:
    assert read_line(line, NAMES) == ("none", "greeting")


@pytest.mark.parametrize(
    "line",
    ["Not,", "Hi 不批准，", "Hi unapproved,", "Please,", "Regards,", "Carol:", "Never:", "Question:", "Tomorrow,"],
)
def test_what_is_no_salutation_stops_the_reader(line: str) -> None:
    assert read_line(line, NAMES).code not in ("greeting", "answer", "empty")


@pytest.mark.parametrize("line", ["", "  ", "\u200b \u00a0\ufeff", "\u200d", "\u00ad"])
def test_a_line_that_shows_nothing_is_blank(line: str) -> None:
    assert read_line(line).code == "empty"


@pytest.mark.parametrize(
    "line",
    [
        "No wait, reject", "Sorry, reject", "Actually no.", "Not!", "...not", "Doch nicht", "En fait non", "Anzi no",
        "I meant reject", "I take that back", "I do not approve", "I do not approve this.", "onaylamıyorum, hayır",
        "今回は承認できません。", "承認しません", "我不批准", "nicht", "Edit: no", "Or rather: reject",
        "This should have been reject.", "Please reject this request.", "👎", "❌", "I reject this after all.",
        "Please do not approve.", "I withdraw my approval.", "Äh, nein.", "Cancel that.", "Reject <-", "/ reject",
        "* Reject *", "REJECT (delete as appropriate)", "Pardon, je voulais dire refusé.",
        "Pardon, reddedildi demek istedim.", "やっぱり却下します。", "抱歉，我是说拒绝。", "訂正：却下",
        "Correction : refusé", "onaylamıyorum", "Unapproved for now",
    ],
)  # fmt: skip
def test_a_line_below_may_take_an_approval_back(line: str) -> None:
    assert takes_back(line)


@pytest.mark.parametrize(
    "line",
    [
        "Not to be extended.", "No need to ask again", "Only for today.", "Please note: no root.", "Why so late?",
        "No production data, please.", "Thanks, Bob", "Do not copy the customer table.", "今日だけです。", "",
        "Nothing else.", "I approve.", "Yes, I approve.", "This is fine.", "It has been approved.",
        "Bob said no last time, but this is fine.", "Aber gerne.", "Why not?", "Warum nicht?", "Sorun değil.",
        "Ticket No. 4711", "Root access: no.", "Approver: Bob", "Risk is acceptable.",
        "No, you do not need to call me.", "Hopefully not.", "Neustart bitte nicht.", "Bob will not reject.", "👍",
        "Pre-approved by CAB.",
    ],
)  # fmt: skip
def test_a_comment_takes_nothing_back(line: str) -> None:
    assert not takes_back(line)


@pytest.mark.parametrize(
    ("line", "below"),
    [
        ("Approved", "if Bob agrees"),
        ("Yes,", "but only today"),
        ("Genehmigt", "wenn Bob zustimmt"),
        ("承認", "しません"),
    ],
)
def test_a_sentence_may_run_on_into_the_next_line(line: str, below: str) -> None:
    assert runs_on(line, below)


@pytest.mark.parametrize(
    ("line", "below"),
    [
        ("Approved.", "if you need more, ask"),
        ("Approved", "If you need more, ask"),
        ("Approved", ""),
        ("Yes", "iffy but ok"),
        ("Approved", "https://tickets.example.com/" + "4711" * 20),
    ],
)
def test_a_comment_begins_a_sentence_of_its_own(line: str, below: str) -> None:
    assert not runs_on(line, below)


def test_no_phrase_says_both() -> None:
    assert not APPROVE & REJECT


def test_every_phrase_of_the_tables_answers() -> None:
    assert {read_line(phrase).verdict for phrase in APPROVE} == {"approve"}
    assert {read_line(phrase.upper() + "!").verdict for phrase in REJECT} == {"reject"}
