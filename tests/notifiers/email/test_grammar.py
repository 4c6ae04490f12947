"""What one line answers, and what the lines below it do to it."""

import pytest

from notifiers.email.grammar import read_line
from notifiers.email.grammar.doubt import word_of_doubt
from notifiers.email.grammar.lexicon import lexicon
from notifiers.email.grammar.segments import Names, words_of_name

WORDS = lexicon()
OTHERS = (
    "Bob Jones", "Alice Meyer", "Jean-Luc O'Connor", "Will May", "Иван", "Γιώργος", "Ștefan Nguyễn", "Ahmet Can",
    "田中", "佐藤", "王",
)  # fmt: skip
NAMES = Names(words_of_name("Grace Hopper"), frozenset().union(*map(words_of_name, OTHERS)))


def verdict(line: str) -> str:
    return read_line(line, NAMES, number=1042).verdict


def doubt(line: str, answer: str = "approved") -> str:
    return word_of_doubt([line], answer, NAMES, WORDS)


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
        "Hi 田中さん、承認します", "Yes, please", "Bestaetigt", "はい！！",
        "同意。。", "はい｡", "ＯＫ, thanks", "承認て\u3099す", "OKです", "承認致しました", "田中様、承認します",
        "お疲れ様です。佐藤です。承認します。", "王经理您好，同意", "kabul edi\u0307yorum",
        "Merhaba Ahmet Bey, onaylıyorum",
        "Approved #1042", "Approved request #1042.", '"Approved"', "“Approved”", "Approved:", "- Approved",
        "• Approved",
        "Approved as requested", "Approved by Grace Hopper", "Approved by Grace.", "Yes, go on",
        "Approve it please", "+1",
        "sí", "sì", "evet", "Tak, zatwierdzam", "ONAYLIYORUM", "Approved, Grace Hopper",
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
        "Rejected - use the replica", "Rejected: this is not Carol, her laptop was stolen", "Denied - not today",
        "No. Too risky", "Rejected because of the freeze", "Disapproved", "Not approved", "I do not approve this",
        "not approved", "Not approved.", "I can't approve this, sorry", "No, not during the freeze",
        "Rejected until Bob is back", "Nicht genehmigt", "Nein, zu riskant", "Pas d'accord", "No aprobado",
        "Não aprovo",
        "Non approvo", "Niet akkoord", "Nie zgadzam się", "Onaylamıyorum", "Inte godkänt", "承認できません", "不同意",
        "-1", "No way", "Hi Bob, rejected because of the freeze", "Sorry, rejected - use the replica", "no",
        "Rejected, only Carol may do this", "BAĞLANTIYI REDDEDİYORUM",
        "Please reject", "Please deny this", "Bitte ablehnen", "Please don't approve",
        "I'm rejecting this", "I am declining this", "I’m rejecting this request, too risky", "We reject this",
        "Sorry, I have to decline", "Unfortunately I can't approve this", "I will not approve", "Turning this down",
        "Ich muss das ablehnen", "Wir lehnen ab", "Das kann ich nicht genehmigen", "Je dois refuser",
        "Désolé, je ne peux pas approuver", "Tengo que rechazar", "No puedo aprobarlo", "Estoy rechazando esto",
        "Tenho que recusar", "Não posso aprovar", "Devo rifiutare", "Non posso approvare", "Ik moet dit afwijzen",
        "Ik kan dit niet goedkeuren", "Muszę odrzucić", "Nie mogę zatwierdzić", "Bu talebi reddediyorum", "Onaylayamam",
        "Jag måste avslå", "Jag kan inte godkänna", "今回は却下します", "残念ながら承認できません", "我拒绝这个请求",
        "抱歉，无法批准", "👎", "❌", "👎🏽",
    ],
)  # fmt: skip
def test_a_plain_no_is_one(line: str) -> None:
    assert verdict(line) == "reject"


@pytest.mark.parametrize(
    "line",
    [
        # A "please" with a verb asks somebody else to do it.
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
        # "Si" without its accent is "if" beside another answer; words of two languages make no sentence.
        "Approuvé si", "Si oui", "si ok", "oui, si", "Conforme aprovado",
        # Signs that say something else, or nothing.
        "Approved 👎", "Approved ❌", "👍", "👍 👎 approved", "Rejected 👍", "✅", "Approved ;)",
        # What somebody else said is hearsay.
        "Approved by Bob", "approved by him", "Bob approved", "Approved for him", "Sorry, approved", "Approved?",
        "Approve, not", "approve reject", "n\u0336o\u0336t approved",
        "Tak", "Já", "já", "Ret", "Red", "Approved, Monday", "Approved #1043", "Approved by Carol", "No, go ahead",
        "No problem", "No problem, approved", "No objections", "No, approved", "Reject or approve", "ja nein", "No?",
        "Rejected?",
        "Rejected by whom?", "Rejected by mistake", "No rechazar", "Nie odrzucam", "Not approved yet", "Grace Hopper",
        "Decline to comment", "No need to wait, go ahead", "Nothing rejected", "Kein Problem", "Approved until Monday",
        "Sí, pero espera", "1. Approved", "Approved (Monday)", "dènied", "ápproved",
        "I will not reject", "I'm not rejecting this", "I won't decline", "We rejected such things, but this is fine",
        "Ich lehne das nicht ab", "Je refuse pas", "Avslår inte", "Ik weiger niet", "I have not approved this",
        "Decline to state", "I would approve", "👍🏽", "👍👎", "Cancel", "REVOKE", "I reject nothing",
        "I have to reject or approve",
        "approv\u0435", "＼approve", "appro\u200bve", "ⓐpprove", "n̶o",
    ],
)  # fmt: skip
def test_anything_else_is_no_answer(line: str) -> None:
    assert verdict(line) == "none"


@pytest.mark.parametrize(
    "line",
    [
        "Hi,", "Hi Bob,", "Dear Mr. Jones,", "Hola Bob:", "Estimado Bob:", "Hi Bob, thanks.", "Hi Will,",
        "Hi May,", "Hi Bob and Alice,", "Sehr geehrte Frau Dr. Meyer,", "Madame, Monsieur,", "Grace,",
        "Hi Иван,", "王经理：", "您好：", "王经理，您好：", "田中様", "お疲れ様です。佐藤です。", "Merhaba Can Bey,",
        "Szanowny Panie,", "Hi 田中さん、", "Thanks!", "Hello Γιώργος,",
    ],
)  # fmt: skip
def test_a_salutation_leaves_the_answer_to_the_line_below(line: str) -> None:
    assert read_line(line, NAMES)[:2] == ("none", "greeting")


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
        "I meant reject", "I take that back", "I do not approve", "onaylamıyorum, hayır", "今回は承認できません。",
        "承認しません", "我不批准", "nicht", "Edit: no", "This should have been reject.", "👎", "❌", "Cancel that.",
        "* Reject *", "REJECT (delete as appropriate)", "Pardon, je voulais dire refusé.", "やっぱり却下します。",
        "Unapproved for now", "hold off", "Please hold off on this one.", "Wait for Bob", "only if Bob agrees",
        "but not before Monday", "after the freeze", "Later, please", "Talk to Bob first.", "unless it is the replica",
        "Provided that Bob agrees", "aber erst am Montag", "Bitte warten", "mais pas aujourd'hui", "sauf si Bob refuse",
        "pero espera", "cuando termine", "porém só amanhã", "aguarde", "però aspetta", "dopo le 18", "maar wacht even",
        "ale dopiero jutro", "poczekaj", "ama bekle", "men vänta", "ただし明日", "少し待ってください",
        "但是先等一下", "如果",
        "No production data, please.", "Not to be extended.",
        "Who is this?", "Who is this？", "(Who asks?)", "Vem är det? 🙂", "من هذا؟", "Τι είναι αυτό\u037e",
        "Who is this? I wonder", "With a ticket", "Mit Ticket", "Avec un ticket", "Bob isterse", "Ticket varsa",
        "İş biterse", "这是谁", "誰の申請ですか",
    ],
)  # fmt: skip
def test_a_word_of_refusal_delay_or_condition_puts_an_approval_in_doubt(line: str) -> None:
    assert doubt(line)


@pytest.mark.parametrize(
    "line",
    [
        "Only for today.", "Thanks, Bob", "Nothing else.", "I approve.", "Yes, I approve.", "This is fine.",
        "It has been approved.", "Aber gerne.", "Why not?", "Warum nicht?", "Sorun değil.", "Ticket No. 4711",
        "Approver: Bob", "Risk is acceptable.", "👍", "Pre-approved by CAB.", "今日だけです。", "", "No problem.",
        "Let me know if you need anything else.", "No rush", "Sorry for the delay!", "Until noon.",
        "The plan is attached.",
        "Watch the replication lag.", "Graag snel.", "Have a nice day", "Viel Erfolg!", "sí", "Call me when done.",
        "Kein Problem", "Sin problema", "没问题", "問題ありません",
        "With thanks", "Avec plaisir", "Mit freundlichen Grüßen", "See https://wiki.example/page?id=4", "Why not?!",
    ],
)  # fmt: skip
def test_a_comment_without_one_puts_nothing_in_doubt(line: str) -> None:
    assert not doubt(line)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ("oui", "si Bob le veut"),
        ("sí", "si Bob quiere"),
        ("sim", "se Bob quiser"),
        ("godkänt", "om Bob vill"),
        ("ok", "om Bob vill"),
    ],
)
def test_a_word_that_is_harmless_elsewhere_counts_in_its_language(answer: str, line: str) -> None:
    assert doubt(line, answer)
    assert not doubt("see you, se, om, men", "approved")


@pytest.mark.parametrize("line", ["by Bob only", "or no", "von Bob", "しません", "?", ", he said", "或者不"])
def test_a_sentence_may_run_on_into_the_next_line(line: str) -> None:
    assert doubt(line)


def test_a_phrase_may_be_wrapped_over_two_lines() -> None:
    assert word_of_doubt(["That is fine with me, as", "long as it is short"], "approved", NAMES, WORDS) == "as long as"
    assert word_of_doubt(["Let me know if", "you need anything"], "approved", NAMES, WORDS) == ""


@pytest.mark.parametrize("line", ["By the way, thanks", "Iffy", "https://tickets.example.com/" + "4711" * 20])
def test_a_comment_begins_a_sentence_of_its_own(line: str) -> None:
    assert not doubt(line)


@pytest.mark.parametrize(
    ("display", "line"),
    [
        ("Grant Miller", "Grant"),
        ("Sim Lee", "Sim"),
        ("James No", "No"),
        ("Ja Rule", "ja"),
        ("Grace Hopper", "Grace Hopper"),
    ],
)
def test_a_line_that_is_only_the_senders_name_is_no_answer(display: str, line: str) -> None:
    assert read_line(line, Names(words_of_name(display))).verdict == "none"
    assert display == "Grace Hopper" or read_line(line, NAMES).verdict != "none"


def test_nothing_behind_a_name_is_part_of_it() -> None:
    assert words_of_name("Grace Hopper (back Monday)") == {"grace", "hopper", "g", "h"}
    assert words_of_name('"Hopper, Grace" - on leave Monday') == {"grace", "hopper", "g", "h"}


def test_only_known_names_stand_beside_an_answer_where_the_directory_was_asked() -> None:
    known = Names(words_of_name("Grace Hopper"), words_of_name("Alice Arundel"))
    assert read_line("Hi Alice, approved. Thanks, Grace", known).verdict == "approve"
    assert read_line("OK Alice", known).verdict == "approve"
    assert read_line("Sorry Alice, no.", known).verdict == "reject"
    assert read_line("Approve Alice", known).verdict == "none"
    assert read_line("Hi Carol, approved", known).verdict == "none"
    assert read_line("Hi Carol, rejected because of the freeze", known).verdict == "none"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Bob Babbage", "Hi, Bob"), ("Bob Babbage", "Bob,"), ("Grant Miller", "Hi Grant,"), ("김민수", "Hi 김민수,"),
        ("Ahmet Yılmaz", "Merhaba ahmet bey,"), ("田中 太郎", "田中様"), ("田中 太郎", "田中さん、お疲れ様です。"),
        ("王 伟", "王经理您好："), ("Иван Петров", "Hi Иван,"), ("Ștefan Pop", "Hi Ștefan,"),
        ("Bjørn Østby", "Hej Bjørn,"), ("Jean-Luc Picard", "Cher Jean-Luc,"), ("Sinéad O'Connor", "Dear Ms. O'Connor,"),
    ],
)  # fmt: skip
def test_a_name_that_the_directory_knows_opens_a_letter(name: str, line: str) -> None:
    known = Names(words_of_name("佐藤 花子"), words_of_name(name))
    assert read_line(line, known).code == "greeting"
    assert read_line(line, Names()).code != "greeting"
    assert read_line("お疲れ様です。佐藤です。承認します。", known).verdict == "approve"


def test_no_phrase_says_both() -> None:
    assert not WORDS.approve.folded & WORDS.reject.folded


def test_every_phrase_of_the_tables_answers() -> None:
    assert {phrase for phrase in WORDS.approve if read_line(phrase).verdict != "approve"} == {"tak"}
    assert {phrase for phrase in WORDS.reject if read_line(phrase.upper() + "!").verdict != "reject"} == {"ret", "red"}


def test_a_word_that_is_ambiguous_counts_where_its_language_is_the_only_one() -> None:
    assert read_line("Tak", words=lexicon(("pl",))).verdict == "approve"
    assert read_line("Ret", words=lexicon(("tr",))).verdict == "reject"
    assert read_line("Genehmigt", words=lexicon(("en", "fr"))).verdict == "none"
