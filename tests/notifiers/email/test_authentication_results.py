"""Authentication-Results as servers write them, and as forgers would like them to be read."""

from time import perf_counter

import pytest

from notifiers.email.authenticity import authenticate
from notifiers.email.config import AuthenticityRule

TRUSTED = AuthenticityRule(mode="authentication_results", authserv_id="mx.example.test")
EXCHANGE = AuthenticityRule(mode="authentication_results", exchange_online=True)
DMARC = "dmarc=pass header.from=corp.example"
SPF = "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=corp.example"
LONGEST = 10.0  # seconds, many times what it takes on an idle machine


def passes(value: str, rule: AuthenticityRule = TRUSTED, sender: str = "grace@corp.example") -> bool:
    signature = f"DKIM-Signature: d={sender.rpartition('@')[2]}; h=From:To:Cc:Subject\r\n"
    mail = f"Authentication-Results: {value}\r\n{signature}From: {sender}\r\n\r\nApproved\r\n"
    return authenticate(mail.encode(), sender, rule).passed


@pytest.mark.parametrize(
    "results",
    [
        # Fastmail
        "arc=none (no signatures found); bimi=skipped (DMARC Policy is not at enforcement);"
        " dkim=pass (2048-bit rsa key sha256) header.d=corp.example\r\n header.i=@corp.example header.b=abc/def="
        " header.a=rsa-sha256 header.s=sel\r\n x-bits=2048;\r\n dmarc=pass policy.published-domain-policy=none"
        " policy.applied-disposition=none (p=none,d=none,d.eval=none) policy.policy-from=p header.from=corp.example;"
        " iprev=pass smtp.remote-ip=2607:f8b0:4864:20::1033 (mail-pj1-x1033.google.com);"
        " spf=pass smtp.mailfrom=grace@corp.example smtp.helo=mail.google.com; x-tls=pass smtp.bits=256/256",
        # Exim
        f"iprev=pass (mail.corp.example) smtp.remote-ip=2001:db8::1;\r\n\tspf=pass smtp.mailfrom=corp.example;{DMARC}",
        # Yahoo
        "dkim=pass header.i=@corp.example header.s=s1;\r\n spf=pass smtp.mailfrom=corp.example;\r\n"
        " dmarc=pass(p=REJECT) header.from=corp.example;",
        # Zoho, and Mail.ru
        "dkim=pass  header.i=@corp.example; dmarc=pass header.from=<grace@corp.example>; arc=pass (i=1 dmarc=pass)",
        "spf=pass smtp.mailfrom=grace@corp.example; dmarc=pass header.from=grace@corp.example",
        # Google
        'dkim=pass header.i=@corp.example header.s=s1 header.b="abc/12+3"; arc=pass (i=1 spf=pass dkim=pass);'
        " dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=corp.example; dara=pass header.i=@example.test",
        # OpenDKIM, Rspamd, Yandex
        'dkim=pass (2048-bit key; unprotected) header.d=corp.example header.i=@corp.example header.b="a/D+"',
        f'spf=none (domain of "SRS0=a=b=c=d@x.example" has no policy) smtp.mailfrom="SRS0=a=b@x.example"; {DMARC}',
        "spf=pass (192.0.2.1 is permitted, rule=[ip4:192.0.2.1]) smtp.mail=g; dkim=pass header.i=@corp.example",
        # and what may stand in any of them
        f"spf=none smtp.mailfrom=<>; {DMARC}",
        f"spf=pass smtp.helo=[IPv6:2001:db8::1]; {DMARC}",
        f"auth=pass smtp.auth=CORP\\grace; {DMARC}",
        f"bimi=pass policy.authority-uri=https://amplify.example/vmc.pem; {DMARC}",
        f"x-spam=no score=-1.2, req=5; word; {DMARC};;",
        f"spf=pass (домен) smtp.mailfrom=grä@corp.example; {DMARC}",
        "DMARC / 1 = PASS header . from = Corp.Example.",
        'dmarc=pass reason="good; dmarc=fail" header.from="corp.example"',
        'dmarc=pass (a (nested\\) one) "quoted") header.from=corp.example',
    ],
)
def test_what_servers_write_is_read(results: str) -> None:
    assert passes(f"mx.example.test; {results}")
    assert not passes(f"mx.example.test; {results}", sender="grace@other.example")


@pytest.mark.parametrize("undecided", ["none", "bestguesspass", "temperror"])
def test_where_dmarc_has_nothing_to_say_a_signature_may(undecided: str) -> None:
    signed = "mx.example.test; dkim=pass header.d=corp.example"
    assert passes(f"{signed}; dmarc={undecided} header.from=corp.example")
    assert passes(f"{signed}; dmarc={undecided} (p=none)")
    assert passes(f"mx.example.test; dmarc={undecided} header.from=corp.example; dkim=pass header.i=@corp.example")
    assert not passes(f"mx.example.test; dmarc={undecided} header.from=corp.example")
    assert not passes(f"mx.example.test; dkim=pass header.d=evil.example; dmarc={undecided} header.from=corp.example")
    assert not passes(f"{signed}; dmarc={undecided} header.from=evil.example")
    assert not passes(f"{signed}; dmarc={undecided} header.from=")
    assert not passes(f"{signed}; dmarc={undecided} header.from=corp.example header.from=corp.example")
    assert not passes(f"{signed}; dmarc={undecided}; dmarc=fail header.from=corp.example")
    assert not passes(f"mx.example.test; {DMARC}; dmarc={undecided} header.from=corp.example")


@pytest.mark.parametrize("result", ["fail", "permerror", "quarantine", "policy", "passed", '"pass"', "", "none/x"])
def test_where_dmarc_says_anything_else_no_signature_helps(result: str) -> None:
    for said in (f"dmarc={result}", f"dmarc={result} header.from=corp.example", f"dmarc={result} d=corp.example"):
        assert not passes(f"mx.example.test; dkim=pass header.d=corp.example; {said}")


@pytest.mark.parametrize("dmarc", ["dmarc=pass (p=reject dis=none) d=corp.example", "dmarc=pass (p=none)"])
def test_a_dmarc_pass_that_names_no_from_leaves_it_to_a_signature(dmarc: str) -> None:
    # Cisco's gateways, such as esa4.example.iphmx.com, write this.
    spf = "spf=None smtp.pra=grace@corp.example; spf=Pass smtp.mailfrom=grace@corp.example"
    assert passes(f"mx.example.test; {spf}; dkim=pass (signature verified) header.i=@corp.example; {dmarc}")
    assert not passes(f"mx.example.test; {spf}; dkim=none (message not signed) header.i=none; {dmarc}")
    assert not passes(f"mx.example.test; {spf}; dkim=pass header.i=@corp.onmicrosoft.com; {dmarc}")
    assert not passes(f"mx.example.test; dkim=pass header.i=@corp.example; {dmarc}; dmarc=fail")
    assert not passes(f"mx.example.test; dkim=pass header.i=@corp.example; {dmarc} header.from=evil.example")
    assert not passes(f"mx.example.test; dkim=pass header.i=@corp.example; {dmarc} header.from=")
    assert not passes("mx.example.test; dkim=pass header.i=@corp.example; dmarc=pass d=evil.example")


@pytest.mark.parametrize("rule", [TRUSTED, EXCHANGE])
@pytest.mark.parametrize(
    "results",
    [
        "dkim=pass header.d=corp.example dmarc=fail header.from=corp.example",
        "dkim=pass header.d=corp.example dmarc = fail",
        "dkim=pass header.d=corp.example DMARC/1=fail header.from=corp.example",
        "dkim=pass header.d=corp.example spf=fail smtp.mailfrom=evil.example",
        "dkim=pass header.d=corp.example compauth=fail reason=001",
        "spf=pass smtp.mailfrom=corp.example dmarc=fail header.from=corp.example; dkim=pass header.d=corp.example",
        "spf=pass 192.0.2.1 dmarc=fail header.from=corp.example; dkim=pass header.d=corp.example",
        "spf=pass 192.0.2.1 dmarc = fail header.from=corp.example; dkim=pass header.d=corp.example",
        "spf=pass 192.0.2.1 dmarc/1=fail header.from=corp.example; dkim=pass header.d=corp.example",
        "spf pass dmarc=fail; dkim=pass header.d=corp.example",
        f"spf=pass smtp.mailfrom=x dkim=fail header.d=corp.example; {DMARC}",
        f"{DMARC} dkim=fail header.d=corp.example",
    ],
)
def test_results_that_nothing_divides_are_not_read(results: str, rule: AuthenticityRule) -> None:
    before = "mx.example.test; " if rule is TRUSTED else "iprev=pass; "
    assert not passes(before + results, rule)
    for method in ("dmarc", "DMARC", "dkim", "spf", "compauth"):
        results = results.replace(f" {method}", f"; {method}")
    divided = results.replace("fail", "pass").replace("spf pass", "spf=pass").replace("spf=pass 1", "spf=pass x=1")
    assert passes(before + divided, rule)


def test_the_end_of_an_address_is_no_result() -> None:
    for forged in (f"x;{DMARC};y=z@evil.example", f'"x";{DMARC};"y"@evil.example', f"x;{DMARC}; y@evil.example"):
        assert not passes(f"mx.example.test; spf=pass smtp.mailfrom={forged}")
        assert not passes(f"spf=pass smtp.mailfrom={forged}", EXCHANGE)
    # A sender may have such an address, but it has to be quoted. SRS needs no quotes for its addresses.
    assert passes(f'mx.example.test; spf=pass smtp.mailfrom="x;dmarc=fail;y=z"@evil.example; {DMARC}')
    assert passes(f"mx.example.test; spf=pass smtp.mailfrom=SRS0=ab=cd=corp.example=grace@relay.example; {DMARC}")
    assert passes(f"mx.example.test; spf=pass; smtp.mailfrom=grace@corp.example; {DMARC}")


@pytest.mark.parametrize("method", ["dmarc", "dkim"])
@pytest.mark.parametrize(
    "broken", ["", "/2=pass", ".=pass", "=pass x", "=pass header.d=a header.d=b", '=pass a="b"c', "=pass =b"]
)
def test_a_result_that_cant_be_read_matters_only_of_these_methods(method: str, broken: str) -> None:
    assert passes(f"mx.example.test; {DMARC}; spf{broken}")
    assert not passes(f"mx.example.test; {DMARC}; {method}{broken}")
    assert not passes(f"mx.example.test; {method.upper()}{broken}; {DMARC}")


@pytest.mark.parametrize(
    "results",
    [
        "dmarc=fail (dmarc=pass header.from=corp.example) header.from=corp.example",
        f"({DMARC})",
        f"none (; {DMARC})",
        f'dmarc=fail header.from=corp.example reason="; {DMARC}"',
        f'spf=fail (x) smtp.mailfrom="a; {DMARC}"@evil.example',
        f'spf=fail smtp.mailfrom="a\\"; {DMARC}; \\""@evil.example',
        f"spf=fail (domain of (a@evil.example\\); {DMARC}; x=(b) ) smtp.mailfrom=a@evil.example",
        "dmarc=fail header.from=corp.example (",
        f"dmarc=fail header.from=corp.example); {DMARC}",
        "x-dmarc=pass header.from=corp.example",
        "dmarc=(x)fail header.from=corp.example",
        "dmarc=pa(x)ss header.from=corp.example",
        "dmarc=pass header.from=evil.example (header.from=corp.example)",
        "dmarc=pass header.from=corp.example.evil.example",
        "dmarc=pass header.from=evil.example policy.from=corp.example",
        "dmarc=pass smtp.from=corp.example",
        "dmarc=pass from=corp.example",
        "dmarc=pass header.from=corp.example@evil.example",
        "dmarc=pass header.from=evil.example,corp.example",
        'dmarc=pass header.from="grace@corp.example"@evil.example',
        "dkim=pass header.i=@corp.example@evil.example",
        'dkim=pass header.i="@corp.example"@evil.example',
        "dkim=pass header.i=corp.example@evil.example",
        "dkim=pass header.d=evil.example header.d=corp.example",
        "dkim=pass header.d=evil.example header.i=@corp.example",
        "dkim=pass header.d=corp.example header.i=@evil.example",
        "dkim=pass header.d=x@corp.example",
        "dkim=pass header.d= header.i=@corp.example",
        "auth=pass smtp.auth=grace@corp.example",
        "dkim=pass header.from=corp.example",
        "domainkeys=pass header.from=corp.example",
        "arc=pass header.from=corp.example header.d=corp.example",
        "x-google-dkim=pass header.d=corp.example",
        "dkim-adsp=pass header.from=corp.example",
        "spf=pass header.from=corp.example",
        "sender-id=pass header.from=corp.example",
        "dmarc=pass (ARC override) header.from=evil.example",
        "dmarc.=pass header.from=corp.example",
        "dmarc=pass\0 header.from=evil.example",
        f"spf=none\x0b; {DMARC}",
        # What servers copy into comments unescaped: quotes mean nothing there, but close what the sender opened.
        f'spf=fail (domain of "x) a=b; {DMARC}; c=(z"@evil.example) smtp.mailfrom=x',
        f'spf=fail (domain of "(" ) smtp.mailfrom=x; {DMARC}; c=(")")',
        f'spf=none (no SPF for "a(b"@evil.example) smtp.mailfrom=x; {DMARC}',
        f'spf=fail smtp.mailfrom=a\\"; {DMARC}; x=\\"b',
        f"spf=fail smtp.mailfrom=a\\; {DMARC}",
        f'spf=fail smtp.mailfrom="a; {DMARC}',
        f"{DMARC}; spf=none (x\\",
        f"{DMARC}; spf=none ({'x' * 8_000})",
    ],
)
def test_forged_results_are_refused(results: str) -> None:
    assert not passes(f"mx.example.test; {results}")
    assert not passes(results, EXCHANGE)


@pytest.mark.parametrize(
    "server", ["MX.EXAMPLE.TEST", "(a) mx.example.test", '"mx.example.test"', "mx.example.test (b) 1"]
)
def test_the_servers_name_may_be_written_as_the_rfc_allows(server: str) -> None:
    assert passes(f"{server}; {DMARC}")


@pytest.mark.parametrize(
    "server",
    [
        "mx.example.test.evil.example", "xmx.example.test", "mx.example.tes", "mx.еxample.test", "mx．example．test",
        "mx.example.test\u200b", "mx.example.test\x0b", "mx.example.test\xa0", "(mx.example.test) evil.example",
        "evil.example (mx.example.test)", "mx.example.test@evil", "mx.example.test/1", "mx.example.test evil.example",
        "evil.example mx.example.test", "mx.exa(x)mple.test", "=?utf-8?q?mx.example.test?=", "mx.example.test 1 2",
        "mx.example.test 2", '"mx.example.test; x" y', "i=1; mx.example.test", "", ";mx.example.test",
        '"mx.example.test" "x"',
    ],
)  # fmt: skip
def test_other_servers_and_lookalikes_are_refused(server: str) -> None:
    assert not passes(f"{server}; {DMARC}")


def test_exchange_onlines_forms() -> None:
    rest = (
        "dkim=pass (signature was verified) header.d=corp.example;{0} dmarc=pass action=none header.from=corp.example"
    )
    assert passes(f"{SPF}; {rest.format('')};compauth=pass reason=100", EXCHANGE)
    # Until about 2021 Exchange Online named the recipient's domain between the results.
    assert passes(f"{SPF}; example.test; {rest.format('example.test;')};compauth=pass reason=100", EXCHANGE)
    guess = "header.d={};dmarc=bestguesspass action=none header.from=corp.example;compauth=pass reason=109"
    assert passes(f"{SPF}; dkim=pass (signature was verified) {guess.format('corp.example')}", EXCHANGE)
    assert not passes(f"{SPF}; dkim=none (message not signed) {guess.format('none')}", EXCHANGE)
    assert not passes(f"mx.evil.example; {DMARC}", EXCHANGE)
    assert not passes(f"; {DMARC}", EXCHANGE)


def test_tenants_of_one_provider_are_strangers() -> None:
    for name in ("onmicrosoft.com", "20230601.gappssmtp.com", "github.io", "unlisted"):
        value = f"mx.example.test; dkim=pass header.d=evil.{name}; dmarc=none"
        assert not passes(value, sender=f"grace@corp.{name}")


def test_other_alphabets() -> None:
    for name in ("xn--bcher-kva.example", "bücher.example"):
        assert passes(f"mx.example.test; dmarc=pass header.from={name}", sender="grace@bücher.example")
    assert not passes("mx.example.test; dmarc=pass header.from=strasse.example", sender="grace@straße.example")


def test_a_name_with_a_space_is_not_what_a_server_writes() -> None:
    mail = f"Authentication-Results : mx.example.test; {DMARC}\r\nFrom: grace@corp.example\r\n\r\n"
    assert not authenticate(mail.encode(), "grace@corp.example", TRUSTED).passed


@pytest.mark.parametrize("start", ["", "dkim=pass ", "dmarc=pass header.from=", "dmarc", 'dkim=pass header.d="'])
@pytest.mark.parametrize(
    "unit",
    [
        "(",
        ")",
        '"',
        "\\",
        '\\"',
        ";",
        "=",
        "a=b ",
        " dmarc",
        "@",
        "a.b=c ",
        " ",
        "\t",
        "a",
        ".",
        "()",
        '(")',
        "(x) ",
        "dkim=pass;",
    ],
)
def test_no_header_takes_long(start: str, unit: str) -> None:
    began = perf_counter()
    for end in ("", "x", " x= y"):
        for rule in (TRUSTED, EXCHANGE):
            assert not passes(f"mx.example.test; {start}{unit * (7_000 // len(unit))}{end}", rule)
    assert perf_counter() - began < LONGEST
