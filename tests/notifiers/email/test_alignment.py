"""Which domain may vouch for which: the same, a parent or a child, and never a public suffix."""

import pytest

from notifiers.email.authenticity.alignment import aligned, ascii_domain


@pytest.mark.parametrize(
    ("domain", "signer"),
    [
        ("example.com", "example.com"),
        ("example.com", "Example.COM."),
        ("example.com", "mail.example.com"),
        ("eu.example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("mail.www.ck", "www.ck"),  # an exception in the list
        ("corp", "corp"),
        ("localhost", "localhost"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_the_same_a_parent_or_a_child_may(domain: str, signer: str) -> None:
    assert aligned(domain, signer)
    assert aligned(signer, domain)


@pytest.mark.parametrize(
    ("domain", "signer"),
    [
        ("a.example.com", "b.example.com"),
        ("example.com", "example.com.example.net"),
        ("example.com", "notexample.com"),
        ("example.co.uk", "other.co.uk"),
        ("example.co.uk", "co.uk"),
        ("example.com", "com"),
        ("corp.github.io", "evil.github.io"),
        ("corp.github.io", "github.io"),
        ("corp.foo.ck", "foo.ck"),  # a wildcard in the list
        ("corp.onmicrosoft.com", "evil.onmicrosoft.com"),
        ("corp-example.20230601.gappssmtp.com", "evil-example.20230601.gappssmtp.com"),
        ("corp.unlisted", "evil.unlisted"),  # a top-level domain that the list doesn't know
        ("corp.unlisted", "unlisted"),
        ("a.corp", "b.corp"),
        ("a.internal", "internal"),
        ("example.com", "x@example.com"),
        ("example.com", ""),
        ("", ""),
        ("example.com", "."),
        ("example..com", "example..com"),
        ("straße.example", "strasse.example"),
        ("ban\N{KELVIN SIGN}.example", "bank.example"),
        ("\N{FULLWIDTH LATIN SMALL LETTER C}orp.example", "corp.example"),
    ],
)
def test_nobody_else_may(domain: str, signer: str) -> None:
    assert not aligned(domain, signer)
    assert not aligned(signer, domain)


def test_a_domain_that_has_no_ascii_form_is_none() -> None:
    assert ascii_domain("Bücher.EXAMPLE") == "xn--bcher-kva.example"
    assert ascii_domain("a" * 300) == ""
    assert ascii_domain("ä" * 80 + ".example") == ""
    assert ascii_domain("é..example") == ""
