"""Whether a mail comes from its From: Authentication-Results as servers write them, and DKIM with real signatures."""

import socket
from pathlib import Path

import dkim
import dns.resolver
import pytest
from pydantic import ValidationError

from notifiers.email.authenticity import Authentic, authenticate
from notifiers.email.authenticity.dkim_signature import DNS_SECONDS
from notifiers.email.config import AuthenticityRule

SENDER = "grace@example.com"
MAIL = b"From: Grace Hopper <grace@example.com>\r\nTo: a@example.test\r\nSubject: Re: #1042\r\n\r\nApproved\r\n"
COVERED = b"DKIM-Signature: v=1; d=example.com; a=rsa-sha256; h=From:To:Cc:Subject; b=AA==\r\n"
TRUSTED = AuthenticityRule(mode="authentication_results", authserv_id="mx.example.test")
EXCHANGE = AuthenticityRule(mode="authentication_results", exchange_online=True)
DKIM = AuthenticityRule(mode="dkim")
KEY = (Path(__file__).parent / "dkim_key.pem").read_bytes()
PUBLIC_KEY = (
    b"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCtKMwdu8LPts5/1OckksCBY7u+ex+ycFtmIGdBZTIw63tDsiyKnat2+UO/kS1XklNwEfOlhT"
    b"3Fhg9Eh4Kx3HAr4CG/cRg+6el8tWFEsCiljcJjI/8QGqeWp9kEm/YvohSlJlRhBM10r4gBeJKkmO7qc79I2HaeuophTRml1qHFgQIDAQAB"
)


def known_keys(name: bytes | str, timeout: int = 5) -> bytes | None:
    text = name.decode() if isinstance(name, bytes) else name
    if text.startswith("lost._domainkey."):
        raise OSError("the name server is away")
    if text.startswith("e1._domainkey."):
        return b"v=DKIM1; k=ed25519; p=" + b"A" * 43 + b"="
    return b"v=DKIM1; k=rsa; p=" + PUBLIC_KEY if text.startswith("s1._domainkey.") else None


def with_results(*values: str, mail: bytes = MAIL) -> bytes:
    return "".join(f"Authentication-Results: {value}\r\n" for value in values).encode() + mail


def signed(mail: bytes = MAIL, domain: bytes = b"example.com", **options: object) -> bytes:
    options = {"include_headers": [b"from", b"to", b"subject"], **options}
    return bytes(dkim.sign(mail, b"s1", domain, KEY, **options)) + mail


@pytest.mark.parametrize(
    "value",
    [
        "mx.example.test; dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=example.com",
        "mx.example.test 1; dkim=pass header.i=@example.com header.s=s1 header.b=AbCdEf; spf=fail smtp.mailfrom=x",
        "MX.example.test; dkim=pass header.d=mail.example.com",
        "mx.example.test; spf=pass smtp.mailfrom=example.com;\r\n dmarc=pass action=none header.from=Example.COM",
    ],
)
def test_a_pass_by_the_trusted_server_counts(value: str) -> None:
    assert authenticate(with_results(value, mail=COVERED + MAIL), SENDER, TRUSTED).passed


@pytest.mark.parametrize(
    "value",
    [
        "mx.example.test; none",
        "mx.example.test; dmarc=fail header.from=example.com; dkim=pass header.d=example.com",
        "mx.example.test; dmarc=pass header.from=example.net",
        "mx.example.test; dmarc=pass header.from=sub.example.com",
        "mx.example.test; dmarc=pass header.from=example.com; dmarc=fail header.from=example.com",
        "mx.example.test; dmarc=pass header.from=example.net header.from=example.com",
        "mx.example.test; spf=pass smtp.mailfrom=grace@example.com",
        "mx.example.test; dkim=pass header.d=example.net",
        "mx.example.test; dkim=pass header.d=com",
        "mx.example.test; dkim=fail header.d=example.com",
        "mx.example.test; dkim=none (dmarc=pass header.from=example.com)",
        'mx.example.test; spf=fail reason="; dmarc=pass header.from=example.com"',
        "mx.example.net; dmarc=pass header.from=example.com",
        "mx.example.test.example.net; dmarc=pass header.from=example.com",
        "dmarc=pass header.from=example.com",
        "mx.example.test; dmarc",
        "(" * 7_000,
        "mx.example.test; " + "a=b " * 5_000,
        "",
    ],
)
def test_everything_else_does_not(value: str) -> None:
    assert not authenticate(with_results(value), SENDER, TRUSTED).passed


def test_only_the_topmost_header_is_believed() -> None:
    passed, failed = (f"mx.example.test; dmarc={each} header.from=example.com" for each in ("pass", "fail"))
    mail = COVERED + MAIL
    assert authenticate(with_results(passed, failed, mail=mail), SENDER, TRUSTED).passed
    assert not authenticate(with_results(failed, passed, mail=mail), SENDER, TRUSTED).passed
    assert not authenticate(with_results("other.example.test; none", passed, mail=mail), SENDER, TRUSTED).passed
    assert not authenticate(mail, SENDER, TRUSTED).passed


def test_exchange_online_is_read_only_where_the_rule_says_so() -> None:
    value = (
        "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=example.com; dkim=pass (signature was verified)"
        " header.d=example.com;dmarc=pass action=none header.from=example.com;compauth=pass reason=100"
    )
    assert authenticate(with_results(value), SENDER, EXCHANGE).passed
    assert not authenticate(with_results(value), SENDER, TRUSTED).passed
    assert not authenticate(with_results(value.replace("dmarc=pass", "dmarc=fail")), SENDER, EXCHANGE).passed
    assert not authenticate(with_results(f"mx.example.test; {value}"), SENDER, EXCHANGE).passed


PASSED = "dkim=pass header.d=example.com; dmarc=pass header.from=example.com"
SENT_ON = f"spf=fail smtp.mailfrom=mallory@example.net; {PASSED}"
NO_TO = b"From:Date:Subject:Message-ID:Content-Type:MIME-Version"  # what Exchange Online signs


def with_signature(results: str, *signatures: bytes, domain: bytes = b"example.com", rule: str = "mx") -> Authentic:
    """Judge a mail with a signature for each of these `h=` (and any tags after it), and a trusted server's results."""
    fields = [b"DKIM-Signature: v=1; d=%s; a=rsa-sha256; h=%s; b=AA==\r\n" % (domain, each) for each in signatures]
    mail = b"".join(fields) + MAIL
    value = f"mx.example.test; {results}" if rule == "mx" else results
    return authenticate(with_results(value, mail=mail), SENDER, TRUSTED if rule == "mx" else EXCHANGE)


@pytest.mark.parametrize("rule", ["mx", "exchange"])
@pytest.mark.parametrize("passed", [PASSED, "dkim=pass header.i=@example.com; dmarc=none header.from=example.com"])
@pytest.mark.parametrize(
    ("spf", "straight"),
    [
        ("spf=pass smtp.mailfrom=example.com", True),
        ("spf=pass smtp.mailfrom=grace@mail.Example.COM", True),
        ("spf=pass smtp.mail=grace@example.com", True),
        ("spf=none smtp.helo=mail.example.net; spf=pass smtp.mailfrom=<grace@example.com>", True),
        ("spf=None smtp.pra=grace@example.com; spf=Pass smtp.mailfrom=grace@example.com", True),
        ("spf=pass smtp.mailfrom=grace@example.com smtp.helo=mail.example.net", True),
        ("iprev=pass", False),  # no result for SPF
        ("spf=fail smtp.mailfrom=example.com", False),
        ("spf=softfail (x) smtp.mailfrom=grace@example.com", False),
        ("spf=pass smtp.mailfrom=mallory@example.net", False),
        ('spf=pass smtp.mailfrom="x@example.com"@example.net', False),
        ("spf=pass smtp.mailfrom=com", False),
        ("spf=pass smtp.helo=example.com", False),
        ("spf=pass", False),
        ("spf=pass smtp.mailfrom=example.com smtp.mailfrom=example.net", False),
        ("spf=pass smtp.mailfrom=example.com; spf=fail smtp.mailfrom=example.net", False),
        ("spf=", False),
    ],
)
def test_what_may_have_been_sent_on_has_to_be_signed(spf: str, straight: bool, passed: str, rule: str) -> None:
    spf, loose = f"x=y; {spf}; {passed}", (NO_TO, b"From:To:Date", b"From:To:Subject; l=3")
    assert [with_signature(spf, each, rule=rule).passed for each in loose] == [straight] * 3
    assert with_signature(spf, b"from : to : subject", rule=rule).passed
    assert with_signature(spf, rule=rule).passed == straight  # the signature was taken out of the mail


def test_a_pass_without_spf_is_worth_as_much_as_the_signature_covers() -> None:
    dmarc = "dmarc=pass header.from=example.com"
    for results in (PASSED, f"dkim=pass header.d=example.com; {dmarc}", dmarc):
        assert with_signature(results, b"From:To:Subject").passed
        for loose in (NO_TO, b"From:To:Date", b"From:To:Subject; l=3"):
            assert not with_signature(results, loose).passed
            assert not with_signature(results, loose, domain=b"mail.example.com").passed
    # No signer is known, and DMARC lets a sibling of From's domain sign.
    assert not with_signature(dmarc, NO_TO, domain=b"sibling.test").passed
    assert not with_signature(dmarc).passed
    assert not with_signature(dmarc, b"From:To:Subject", domain=b"stranger.test").passed
    assert not with_signature(PASSED).passed


def test_who_was_refused_is_told_what_the_signature_leaves_open() -> None:
    found = with_signature(SENT_ON, NO_TO)
    assert found == Authentic(
        False,
        "it may be a mail to somebody else that was sent on: its DKIM signature does not cover To, and SPF doesn't"
        " show that it came straight from example.com",
    )
    assert "l=" in with_signature(SENT_ON, b"From:To:Subject; l=3").how


def test_a_field_that_was_added_covers_nothing() -> None:
    for both in ((NO_TO, b"From:To:Subject"), (b"From:To:Subject", NO_TO)):
        assert not with_signature(SENT_ON, *both).passed
    other = signed(domain=b"example.net", include_headers=[b"from"])
    mail = signed(other, include_headers=[b"from", b"to", b"subject"])
    results = f"mx.example.test; {SENT_ON}; dkim=pass header.d=example.net"
    assert authenticate(with_results(results, mail=mail), SENDER, TRUSTED).passed


def test_a_siblings_signature_has_to_cover_as_much() -> None:
    sender, dmarc = "grace@hr.example.com", "dmarc=pass header.from=hr.example.com"
    results = f"mx.example.test; spf=fail smtp.mailfrom=x.example; dkim=pass header.d=mail.example.com; {dmarc}"
    loose = b"DKIM-Signature: d=Mail.Example.com; h=From:Subject\r\n"
    added = b"DKIM-Signature: d=hr.example.com; h=From:To:Subject\r\n"
    mail = MAIL.replace(b"grace@", b"grace@hr.")
    for signatures in (b"", loose, added + loose):
        for told in (results, f"{results}; dkim=fail header.d=hr.example.com"):
            assert not authenticate(with_results(told, mail=signatures + mail), sender, TRUSTED).passed
    assert authenticate(with_results(results, mail=loose.replace(b"h=", b"h=To:") + mail), sender, TRUSTED).passed


def test_a_valid_aligned_signature_counts() -> None:
    assert authenticate(signed(), SENDER, DKIM, known_keys) == Authentic(
        True, "a DKIM signature of example.com is valid"
    )
    assert authenticate(signed(domain=b"mail.example.com"), SENDER, DKIM, known_keys).passed
    assert authenticate(signed(mail=signed(domain=b"example.net")), SENDER, DKIM, known_keys).passed
    copied = signed(b"Cc: b@example.test\r\n" + MAIL, include_headers=[b"from", b"to", b"cc", b"subject"])
    assert authenticate(copied, SENDER, DKIM, known_keys).passed


def test_a_signature_that_cant_be_checked_hides_no_other() -> None:
    elliptic = signed().partition(MAIL)[0].replace(b"rsa-sha256", b"ed25519-sha256").replace(b"s=s1", b"s=e1")
    twice = signed().partition(MAIL)[0].replace(b"a=rsa-sha256;", b"a=rsa-sha256; a=rsa-sha256;")
    lost = signed().partition(MAIL)[0].replace(b"s=s1", b"s=lost")
    for broken in (elliptic, twice, lost):
        assert not authenticate(broken + MAIL, SENDER, DKIM, known_keys).passed
        assert authenticate(broken + signed(), SENDER, DKIM, known_keys).passed


def test_siblings_dont_vouch_for_each_other() -> None:
    mail = signed(MAIL.replace(b"example.com", b"corp.onmicrosoft.com"), domain=b"evil.onmicrosoft.com")
    found = authenticate(mail, "grace@corp.onmicrosoft.com", DKIM, known_keys)
    assert found == Authentic(False, "its DKIM signature is not by corp.onmicrosoft.com")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (MAIL, "no DKIM signature"),
        (signed(domain=b"example.net"), "not by example.com"),
        (signed(length=True), "l="),
        (signed() + b"More.\r\n", "not valid"),
        (signed().replace(b"#1042", b"#1043"), "not valid"),
        (b"From: mallory@example.net\r\n" + signed(), "not valid"),
        (signed(include_headers=[b"from", b"subject"]), "does not cover To"),
        (signed(include_headers=[b"from", b"to"]), "does not cover Subject"),
        (signed(b"Cc: b@example.test\r\n" + MAIL), "does not cover Cc"),
        (b"Cc: b@example.test\r\n" + signed(), "does not cover Cc"),
        (signed().replace(b"h=from : to", b"h=to"), "does not cover From"),
        (signed(signature_algorithm=b"rsa-sha1"), "none of rsa-sha256, ed25519-sha256"),
        (signed().replace(b"a=rsa-sha256; ", b""), "none of"),
        (signed().replace(b"s=s1", b"s=s2"), "not valid"),
        (signed().replace(b"b=", b"b=" + b"A" * 5_000), "too long"),
        (signed(MAIL + b" " * 50_000 + b"x"), "white space"),
        (signed(MAIL + b"\r\n" * 50_000), "white space"),
        (b"DKIM-Signature: rubbish\r\n" + MAIL, "not by example.com"),
        (b"DKIM-Signature: d=example.com; h=from:to:subject; a=rsa-sha256\r\n" + MAIL, "not valid"),
    ],
)
def test_other_signatures_do_not(raw: bytes, why: str) -> None:
    found = authenticate(raw, SENDER, DKIM, known_keys)
    assert not found.passed
    assert why in found.how


def test_name_servers_that_never_answer_are_waited_for_two_seconds_in_all() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], silent.getsockname()[1]
        waited: list[float] = []

        def ask(name: bytes | str, timeout: float = 5) -> bytes | None:
            waited.append(timeout)
            resolver.resolve(name.decode() if isinstance(name, bytes) else name, "TXT", lifetime=timeout)
            return None

        found = authenticate(signed(signed()), SENDER, DKIM, ask)
    assert not found.passed
    assert 1 <= len(waited) <= 2
    assert sum(waited[:1]) <= DNS_SECONDS == 2
    assert all(later < 0.5 for later in waited[1:])  # what the first query left of the two seconds


def test_with_no_rule_nothing_is_authentic() -> None:
    found = authenticate(
        signed(with_results("mx.example.test; dmarc=pass header.from=example.com")), SENDER, AuthenticityRule()
    )
    assert not found.passed
    assert "no rule" in found.how


@pytest.mark.parametrize("raw", [b"", b"\0", b"\n" * 1_000, b" x\n\ny", b"Authentication-Results\n\n", b"\xff" * 9_999])
@pytest.mark.parametrize("rule", [TRUSTED, EXCHANGE, DKIM, AuthenticityRule()])
@pytest.mark.parametrize("sender", ["", "x", SENDER, "a@" + "b" * 300, "a@b..c", "grace@exämple.com"])
def test_rubbish_is_not_authentic_and_raises_nothing(raw: bytes, rule: AuthenticityRule, sender: str) -> None:
    assert not authenticate(raw, sender, rule, known_keys).passed


@pytest.mark.parametrize("fields", [{}, {"authserv_id": " "}, {"authserv_id": "mx", "exchange_online": True}])
def test_a_rule_must_say_who_checks(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="authserv_id"):
        AuthenticityRule.model_validate({"mode": "authentication_results", **fields})
