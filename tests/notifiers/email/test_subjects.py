"""What precedes a subject: the prefixes of replies, forwards, and automatic replies in any language."""

import time

import pytest

from notifiers.email.reply import Reply, read_reply

OURS = "Acme - Connection Approval Notification - #1042"


def read(subject: str) -> Reply:
    """Read a plain approval with this subject."""
    return read_reply(f"From: grace@example.com\r\nSubject: {subject}\r\n\r\nApprove\r\n".encode())


@pytest.mark.parametrize(
    "prefix",
    [
        "", "Re: ", "RE:", "Re : ", "AW: ", "SV: ", "VS: ", "Antw: ", "Antwort: ", "Odp: ", "YNT: ", "Vá: ", "RIF: ",
        "RES: ", "R: ", "Ref: ", "RÉF. : ", "BLS: ", "Atb: ", "ΑΠ: ", "Отв: ", "Ответ: ", "回复: ", "回复：", "答复：",
        "回覆: ", "返信: ", "회신: ", "ตอบกลับ: ", "Trả lời: ", "رد: ", "השב: ", "Re[2]: ", "RE(3): ", "Re^2: ",
        "RE: EXTERNAL: ", "[External] Re: ", "Re: [External] ", "EXTERNAL: Re: ", "EXTERNAL: ", "[EXT] ", "{Spam?} ",
        "***SPAM*** Re: ", "CAUTION: EXTERNAL EMAIL: RE: ", "AW: Re: SV: ", "\u200eRe: ", "Ｒｅ： ",
        "RE: Automatic reply: ", "Re: Fwd: ", "RE: FW: ", "Re: [Fwd: ", "Re: Acme: ",
        "Approved: ", "OK: ", "Genehmigt: ", "Re: Auto: ", "Xyz: ", "Betreff: ", "Subject: ",
        "Streng vertraulich - AW: ", "P1 RE: ", "TLP:GREEN Re: ", "⚠️ Re: ", "⚠️EXTERNAL⚠️ Re: ", "Ekstern - SV: ",
        "Harici - YNT: ", "Внешнее письмо RE: ", "Externe - Réponse: ", "//SEC// RE: ", "[EXT Re: ",
        "INTERN-AW: ", "SPAM(5.2) RE: ", "RE [EXT]: ", "Re-2: ", "Automation team - RE: ",
        "[外部] 回复: ", "Acme - ",
    ],
)  # fmt: skip
def test_what_people_answer_with_is_no_automatic_reply_and_no_forward(prefix: str) -> None:
    assert read(prefix + OURS).verdict == "approve"


@pytest.mark.parametrize(
    "subject",
    [
        "Re: Urlaub AG - Connection Approval Notification - #7", f"Re: {OURS} [SEC=OFFICIAL]", "Lunch: on Monday",
        "Question about something long: are you there", "Re: Grace is out of the office", "", ":", "Re:",
        f"Re: {OURS} - out of office hours access", f"Re: {OURS} - urlaub: nein", f"Re: {OURS} (was read:)",
        f"Re: {OURS} - accepted: yes", f"{OURS} auto: yes", f"{OURS} (Out of Office)", f"Re: {OURS} [Auto Reply]",
        *(f"{prefix}{name} - Connection Approval Notification - #7"
          for name in ("Semester AG", "Out of Office Ltd", "休假网", "Acme (Test)", "Acme [Test] Ltd", "Acme - Urlaub")
          for prefix in ("", "Re: ", "[EXT] ", "EXTERNAL: ")),
    ],
)  # fmt: skip
def test_other_subjects_of_people(subject: str) -> None:
    assert read(subject).verdict == "approve"


@pytest.mark.parametrize(
    "prefix",
    [
        "Fwd: ", "FW:", "WG: ", "TR : ", "RV: ", "ENC: ", "I: ", "VB: ", "PD: ", "İLT: ", "ilt: ", "Doorst: ", "转发: ",
        "Továbbítás: ", "\u200eFwd:", "\ufeffFwd: ", "Ｆｗｄ:", "[EXTERNAL] Fwd: ", "{Spam?} FW: ", "EXTERNAL: FW: ",
        "Fwd: Re: ", "Fwd[2]: ", "[Fwd: ", "(Fwd) ", "[FW] ", "YÖN: ",
        "INTERNAL - FW: ", "EXTERN - WG: ", "Confidential FW: ", "EXT FWD: ", "OFFICIAL: FW: ", "[EXT] FW: ",
        "INTERN-WG: ", "FW [EXT]: ", "FW EXT: ", "OK FW: ", "Approved FW: ", "⚠️ FW: ", "EXT (Fwd) ",
    ],
)  # fmt: skip
def test_a_forward_is_known_by_its_outermost_prefix(prefix: str) -> None:
    assert read(prefix + OURS).code == "forwarded"


def test_pines_mark_of_a_forward_stands_behind() -> None:
    assert read(f"{OURS} (fwd)").code == "forwarded"
    assert read(f"Re: Fwd: {OURS}").verdict == "approve"


@pytest.mark.parametrize(
    ("prefix", "away"),
    [
        ("Automatic reply: ", True),
        ("Außer Haus: ", True),
        ("AUSSER HAUS: ", True),
        ("İş yeri dışında: ", True),
        ("OTOMATİK YANIT: ", True),
        ("Re\u0301ponse automatique : ", True),
        ("\u200eAutomatische Antwort: ", True),
        ("[EXTERNAL] Automatic reply: ", True),
        ("Автоматический ответ: ", True),
        ("자동 회신: ", True),
        ("Out of Office Re: ", True),
        ("I’m out of town: ", True),
        ("Auto: ", False),
        ("[corp #12] AutoReply: ", False),
        ("[Auto-Reply] Re: ", False),
        ("自动回复: ", False),
        ("Sjálfvirkt svar: ", False),
        ("Awtomatikong tugon: ", False),
        ("स्वचालित उत्तर: ", False),
        ("自動応答メール: ", True),
        ("Automatski odgovara: [EXT] ", False),
        ("Incident INC001 opened: ", False),
        ("Read: ", False),
        ("EXTERNAL - Automatic reply: ", True),
        ("EXTERNAL - Abwesenheitsnotiz: ", True),
        ("EXT Automatische Antwort: ", True),
        ("External mail - Urlaub: ", True),
        ("Ich bin im Urlaub: Re: ", True),
        ("On leave Re: ", True),
        ("PTO: ", True),
        ("出差: ", True),
        ("휴가：", True),
        ("Out of Office - ", True),
        ("[자동회신] ", True),
        ("Automatic reply ", True),
        ("SPAM Auto: ", False),
        ("Auto-Re: ", False),
        ("Auto - Re: ", False),
        ("EXTERN Undeliverable: ", False),
        ("INTERNAL - Read: ", False),
        ("EXTERNAL - Sjálfvirkt svar: ", False),
        ("EXT Sjálfvirkt svar: ", False),
        ("Many thanks to you for this Re: ", False),
        ("Заявка на: ", False),
        ("Restricted: ", False),
        ("Yes to: ", False),
        ("a:" * 30 + "Fwd: ", False),
        ("Sjálfvirkt svar: Re: ", False),
        ("Whoever: Fwd: ", False),
        ("Hors entreprise - Réponse: ", False),
    ],
)
def test_what_only_a_machine_puts_before_our_subject(prefix: str, away: bool) -> None:
    found = read(prefix + OURS)
    assert (found.code, found.guessed, found.away) == ("auto_reply", True, away)


@pytest.mark.parametrize(
    ("subject", "away"),
    [
        ("Grace Hopper is out of the office.", True),
        ("AUTO: Grace Hopper ist außer Haus (Rückkehr am 30.11.)", True),
        ("Automatic reply: your ticket", False),
        ("【自動返信】お問い合わせ", False),
        ("(自动回复)您好", False),
        ("自动应答: 您好", False),
        ("系统退信", False),
        ("OTOMATİK YANIT: Acme", False),
    ],
)
def test_other_subjects_of_machines(subject: str, away: bool) -> None:
    assert (read(subject).code, read(subject).away) == ("auto_reply", away)


@pytest.mark.parametrize(
    "unit",
    [
        "x",
        ":",
        "[a] ",
        "[",
        "(",
        "*",
        "a:",
        "Re: ",
        "x: ",
        "İ",
        "<",
        "- #1042 ",
        " - ",
        "re ",
        "ext-",
        "fwd(",
        "auto",
        "am on leave ",
    ],
)
def test_hostile_subjects_take_no_time(unit: str) -> None:
    start = time.perf_counter()
    read(unit * 10_000)
    read((unit * 1_900)[:1_900] + OURS)
    assert time.perf_counter() - start < 10  # many times what it takes on an idle machine
