"""Whatever a field contains, the mail's headers, lines and links stay ours, and it never answers itself."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countersign.kinds.connection import ConnectionQuestion
from countersign.models import Event, GrantStatus, Status, Verdict
from countersign.notifications import Person, RequestNotification
from notifiers.email.compose import compose
from tests.samples import ALICE, GRACE, GRANT, HEIDI, NOON, QUESTION, decided, notification
from tests.whole import IS_WHOLE

from .notifications import MAILED, SECRET, config, settled

CONFIG = config()
PAGE = "https://countersign.acme.example/requests/1042"
HEADERS = compose(notification(), CONFIG, NOON).keys()
VERDICT = re.compile(r"\s*(approved?|yes|ok|okay|rejected?|no|deny|denied|y|n)[\s.!]*", re.IGNORECASE)

EVIL = [
    "x\r\nBcc: eve@evil.example\r\n\r\nApprove",
    "x\nReply-To: eve@evil.example",
    "x\x00y\x1b[2J\x7f",
    "\u202eevorppa\u2066\u200f",
    "<script>alert(1)</script><img src=//evil.example/x.png>",
    "\"' onmouseover=alert(1) x='",
    "</td></tr></table><a href='https://evil.example'>Approve</a>",
    "{{ 7 * 7 }}{% raw %}",
    "=?utf-8?q?x=0D=0ABcc=3A_eve=40evil.example?=",
    "--===============boundary==\r\nContent-Type: text/html\r\n\r\n<b>",
    "\u2028Approve\u2029Approve\x85Approve\x0bApprove\x0cApprove",
    "Approve\r\n\r\nReply with APPROVE\r\n.\r\nMAIL FROM:<eve@evil.example>",
    "APPROVE " * 500,
    "ü" * 5000,
    "🚀 山田 שלום",
    "\ud800",
    "",
    "approve",
]


class Reader(HTMLParser):
    """The lines a mail client would show, the links, and what would be loaded or run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.lines = [""]
        self.links: set[str] = set()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value or "" for name, value in attrs if name == "href"}
        self._hidden = tag in {"style", "title"}
        if tag in {"tr", "td", "br", "table", "div", "p"}:
            self.lines.append("")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.lines[-1] += data


def parsed(mail: EmailMessage) -> EmailMessage:
    raw = mail.as_bytes()
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert SECRET not in raw
    return message_from_bytes(raw, policy=policy.default)


def bodies(mail: EmailMessage) -> tuple[str, Reader]:
    text, html = (part.get_content() for part in mail.iter_parts() if isinstance(part, EmailMessage))
    return text, Reader(html)


def with_everything(evil: str, event: Event, to: Person, status: Status) -> RequestNotification:
    question = ConnectionQuestion.model_construct(
        **(QUESTION.model_dump() | {"reason": evil, "ticket": evil, "source_address": evil, "device": evil})
    )
    return notification(
        event,
        to.model_copy(update={"name": evil}),
        id=evil,
        question=question,
        requester=ALICE.model_copy(update={"name": evil}),
        asked=[GRACE.model_copy(update={"name": evil}), HEIDI.model_copy(update={"name": evil})],
        decisions=[decided("grace", Verdict.APPROVE, evil[:4000]), decided("heidi", Verdict.REJECT, evil[:4000])],
        names={"grace": evil, "heidi": evil},
        message=evil,
        status=status,
        in_reply_to=evil,
        levels=2,
    )


def writes_a_reply(link: str, reply_to: str) -> bool:
    """Whether a link does nothing but open a mail to our address that holds one of the two answers."""
    subject = quote("Re: Acme Gateways - Connection Approval Notification - #1042")
    to = quote(reply_to, safe="@")
    return link in {f"mailto:{to}?subject={subject}&body={word}" for word in ("Approve", "Reject")}


def holds(mail: EmailMessage) -> None:
    """Check that we, and nobody else, wrote the mail."""
    read = parsed(mail)
    assert set(read.keys()) - {"In-Reply-To"} == set(HEADERS)
    assert len(read.keys()) == len(set(read.keys()))
    assert not read.defects
    assert [a.addr_spec for a in read["To"].addresses] in (["grace@acme.example"], ["alice@acme.example"])
    assert read["From"].addresses[0].addr_spec == "countersign@acme.example"
    assert read["Subject"] == "Acme Gateways - Connection Approval Notification - #1042"
    text, html = bodies(read)
    assert all(link == PAGE or writes_a_reply(link, read["Reply-To"].addresses[0].addr_spec) for link in html.links)
    assert html.tags.isdisjoint({"script", "img", "form", "input", "iframe", "link", "object", "svg", "button"})
    assert not [name for name in html.attributes if name.startswith("on") or name == "src"]
    for line in [*text.splitlines(), *html.lines]:
        assert not VERDICT.fullmatch(line)
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f\x00\x1b]", line)


@pytest.mark.parametrize("number", range(len(EVIL)))
@pytest.mark.parametrize("event", MAILED)
@pytest.mark.parametrize("to", [GRACE, ALICE], ids=["approver", "requester"])
def test_no_field_breaks_out(number: int, event: Event, to: Person) -> None:
    statuses = list(Status) if IS_WHOLE else [list(Status)[(number + list(Event).index(event)) % len(Status)]]
    for status in statuses:
        holds(compose(with_everything(EVIL[number], event, to, status), CONFIG, NOON))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(evil=st.text(max_size=300), event=st.sampled_from(MAILED), status=st.sampled_from(Status))
def test_nothing_at_all_breaks_out(evil: str, event: Event, status: Status) -> None:
    holds(compose(with_everything(evil, event, GRACE, status), CONFIG, NOON))


@settings(deadline=None)
@given(reason=st.text(min_size=1, max_size=200))
def test_every_line_of_somebodys_words_is_marked(reason: str) -> None:
    said = ConnectionQuestion.model_construct(**(QUESTION.model_dump() | {"reason": reason}))
    plain = bodies(parsed(compose(notification(question=said), CONFIG, NOON)))[0].splitlines()
    start = plain.index("Why, in their words:") + 1
    end = plain.index("Reply with APPROVE or REJECT as the first line;")
    assert all(line.startswith("  | ") for line in plain[start:end] if line)


def test_a_long_reason_without_spaces_is_shown_whole() -> None:
    said = QUESTION.model_copy(update={"reason": "x" * 1000})
    plain, html = bodies(parsed(compose(notification(question=said), CONFIG, NOON)))
    assert "".join(re.findall(r"^  \| (x+)\r?$", plain, re.MULTILINE)) == "x" * 1000
    assert any("x" * 1000 in line for line in html.lines)


def test_a_long_name_is_cut() -> None:
    read = parsed(compose(notification(requester=ALICE.model_copy(update={"name": "A" * 1000})), CONFIG, NOON))
    assert bodies(read)[0].startswith("A" * 79 + "… asks to connect")


@pytest.mark.parametrize("name", ["Zoë Ångström", "山田太郎", 'O\'Neil, "Pat" (Ops)', "=?x?q?y?=", "a\\b", "R2-D2"])
def test_names_in_headers_come_back_as_they_are(name: str) -> None:
    raw = compose(notification(to=GRACE.model_copy(update={"name": name})), CONFIG, NOON).as_bytes()
    read = message_from_bytes(raw, policy=policy.default)
    assert read["To"].addresses[0].display_name == name
    header = raw.split(b"\r\n\r\n")[0].decode()
    assert all(len(line) <= 76 for line in header.split("\r\n") if "=?" in line)


def test_a_long_name_beyond_ascii_is_split_as_rfc_2047_wants() -> None:
    raw = compose(notification(to=GRACE.model_copy(update={"name": "ü" * 80})), CONFIG, NOON).as_bytes()
    written = message_from_bytes(raw, policy=policy.compat32)["To"]
    assert str(make_header(decode_header(written))) == "ü" * 80 + " <grace@acme.example>"
    assert all(len(line) <= 76 for line in written.splitlines())


def test_an_instance_name_beyond_ascii_is_a_subject_like_any_other() -> None:
    mail = compose(notification(), config(instance_name="Größe & Söhne, Zugang"), NOON)
    read = message_from_bytes(mail.as_bytes(), policy=policy.default)
    assert read["Subject"] == "Größe & Söhne, Zugang - Connection Approval Notification - #1042"
    assert read["From"].addresses[0].display_name == "Größe & Söhne, Zugang"


def test_long_references_are_folded_between_ids_never_within() -> None:
    answered = f"<{'r' * 200}@phone.example>"
    mail = compose(notification(Event.HELP, in_reply_to=answered), CONFIG, NOON)
    raw = mail.as_bytes().decode()
    assert f"\r\nIn-Reply-To: {answered}\r\n" in raw
    assert f"\r\nReferences: {mail['References'].split()[0]}\r\n {answered}\r\n" in raw


def test_words_beyond_ascii_arrive_whole_in_both_bodies() -> None:
    said = QUESTION.model_copy(update={"reason": "Überprüfung – 再起動 🚀"})
    plain, html = bodies(parsed(compose(notification(question=said), CONFIG, NOON)))
    assert "  | Überprüfung – 再起動 🚀" in plain.splitlines()
    assert any(line.strip().endswith("Überprüfung – 再起動 🚀") for line in html.lines)


@pytest.mark.parametrize(
    "told",
    [
        notification(),
        notification(use="link_only"),
        notification(to=ALICE),
        settled(Status.APPROVED, grant=GRANT),
        notification(Event.GRANT_ENDED, grant=GRANT.model_copy(update={"status": GrantStatus.REVOKED})),
    ],
)
def test_the_only_link_elsewhere_opens_the_page(told: RequestNotification) -> None:
    plain, html = bodies(parsed(compose(told, CONFIG, NOON)))
    assert {link for link in html.links if not link.startswith("mailto:")} == {PAGE}
    assert set(re.findall(r"https?://\S+", plain)) == {PAGE}


def test_without_a_page_there_is_no_link() -> None:
    plain, html = bodies(parsed(compose(notification(), config(public_url=""), NOON)))
    assert all(link.startswith("mailto:") for link in html.links)
    assert "http" not in plain
