"""Whether a mail really comes from the address in its From, by the one rule that is configured.

Either the mail server in front of us checked it and wrote that down (RFC 8601), or its DKIM signature (RFC 6376) is
checked here. With no rule nothing is authentic, and so no mail decides.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

import authres
import dkim
from publicsuffix2 import PublicSuffixList
from pydantic import ConfigDict, Field, model_validator

from countersign.models import Model
from notifiers.email import caps
from notifiers.email.parts import Fields, Unreadable, read_fields

LONGEST_RESULTS = 8_000  # characters of one Authentication-Results
DNS_TIMEOUT_SECONDS = 5
SMALLEST_KEY = 1024  # bits; RFC 8301 refuses less
# Runs of white space cost the DKIM library the square of their length.
COSTLIEST_SPACES = 50_000_000
MOST_BLANK_END = 20_000  # bytes of blank lines at the end, which it takes off one by one

DnsText = Callable[..., bytes | None]  # (name, timeout=seconds) -> the TXT record, or None


class Authentic(NamedTuple):
    """Whether a mail is authentic, and how that was found, for the record."""

    passed: bool
    how: str


class AuthenticityRule(Model):
    """How mail proves its sender.

    `authentication_results`: by the topmost header of that name, if the server called `authserv_id` wrote it. Use it
    only where every mail comes through that server. `exchange_online` reads Microsoft's form, which names no server.
    `dkim`: by a signature that is checked here. `off`: nothing does, and mail decides nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["authentication_results", "dkim", "off"] = "off"
    authserv_id: str = Field(default="", max_length=255)
    exchange_online: bool = False

    @model_validator(mode="after")
    def _names_who_checks(self) -> AuthenticityRule:
        named = bool(self.authserv_id.strip())
        if self.mode == "authentication_results" and named == self.exchange_online:
            raise ValueError("name the server that checks (authserv_id), or set exchange_online, and not both")
        return self


def authenticate(raw: bytes, sender: str, rule: AuthenticityRule, dnsfunc: DnsText | None = None) -> Authentic:
    """Judge one mail by the rule; never raises. `sender` is its one From address."""
    domain = _ascii_domain(sender.rpartition("@")[2])
    if rule.mode == "off":
        return Authentic(False, "no rule for authentic mail is configured, so mail decides nothing")
    if not domain or len(raw) > caps.LARGEST_MAIL:
        return Authentic(False, "the mail has no sender that could be checked")
    try:
        fields = read_fields(raw)
        if rule.mode == "dkim":
            return _by_signature(raw, fields, domain, dnsfunc)
        return _by_results(fields, domain, rule)
    except Unreadable as problem:
        return Authentic(False, str(problem))
    except Exception as problem:  # hostile headers raise many kinds in the libraries; none of them is a proof
        return Authentic(False, f"the proof could not be read ({type(problem).__name__})")


def aligned(domain: str, other: str) -> bool:
    """Whether two domains belong to one organisation (DMARC's relaxed alignment, RFC 7489, section 3.1)."""
    one, two = _organisation(domain), _organisation(_ascii_domain(other))
    return bool(one) and one == two


def _by_results(fields: Fields, domain: str, rule: AuthenticityRule) -> Authentic:
    topmost = fields.first("authentication-results")
    if not topmost:
        return Authentic(False, "the mail server wrote no Authentication-Results")
    if len(topmost) > LONGEST_RESULTS:
        return Authentic(False, "the topmost Authentication-Results is too long")
    text = f"exchange-online; {topmost}" if rule.exchange_online else topmost
    if rule.exchange_online and not re.match(r"\s*[a-z]+\s*=", topmost, re.IGNORECASE):
        return Authentic(False, "the topmost Authentication-Results isn't in the form of Exchange Online")
    results = authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {text}")
    if not rule.exchange_online and str(results.authserv_id).lower() != rule.authserv_id.strip().lower():
        return Authentic(False, "the topmost Authentication-Results isn't by the server that is trusted")
    return _read_results(results.results, domain)


def _read_results(results: list[authres.AuthenticationResult], domain: str) -> Authentic:
    dmarc = [each for each in results if each.method.lower() == "dmarc"]
    if dmarc:
        passed = all(each.result.lower() == "pass" and _property(each, "from") == domain for each in dmarc)
        return Authentic(passed, f"dmarc={dmarc[0].result} header.from={_property(dmarc[0], 'from')}")
    for each in results:
        signer = _property(each, "d") or _property(each, "i").rpartition("@")[2]
        if each.method.lower() == "dkim" and each.result.lower() == "pass" and aligned(domain, signer):
            return Authentic(True, f"dkim=pass header.d={signer}")
    return Authentic(False, f"neither DMARC nor a DKIM signature of {domain} passed")


def _property(result: authres.AuthenticationResult, name: str) -> str:
    """A `header.` property, "" where it is missing or there twice."""
    values = [
        str(each.value) for each in result.properties if each.type.lower() == "header" and each.name.lower() == name
    ]
    return values[0].strip().lower() if len(values) == 1 else ""


def _by_signature(raw: bytes, fields: Fields, domain: str, dnsfunc: DnsText | None) -> Authentic:
    signatures = fields.all("dkim-signature")
    if not signatures:
        return Authentic(False, "the mail has no DKIM signature")
    if _is_costly(raw):
        return Authentic(False, "the mail is too long or has too much white space to be checked")
    message = dkim.DKIM(raw, minkey=SMALLEST_KEY, timeout=DNS_TIMEOUT_SECONDS)
    problems = {index: _problem_with(signature, fields, domain) for index, signature in enumerate(signatures)}
    for index in [index for index, problem in problems.items() if not problem][: caps.MOST_SIGNATURES]:
        problems[index] = _problem_when_checked(message, index, dnsfunc)
        if not problems[index]:
            return Authentic(True, f"a DKIM signature of {_tags(signatures[index])['d']} is valid")
    return Authentic(False, list(problems.values())[-1])


def _is_costly(raw: bytes) -> bool:
    if len(raw) > caps.LARGEST_SIGNED or len(raw) - len(raw.rstrip(b"\r\n")) > MOST_BLANK_END:
        return True
    runs = [len(run) for run in re.findall(rb"[ \t]+", raw)]
    return len(runs) > caps.MOST_SIGNED_SPACES or sum(length**2 for length in runs) > COSTLIEST_SPACES


def _problem_with(signature: str, fields: Fields, domain: str) -> str:
    """Why a signature can't prove anything, whether or not it is valid; or ""."""
    if len(signature) > caps.LONGEST_STRUCTURED:
        return "its DKIM signature is too long"
    tags = _tags(signature)
    signed = [name.strip().lower() for name in tags.get("h", "").split(":")]
    if "l" in tags:
        return "its DKIM signature covers only a part of the body (l=)"
    if not aligned(domain, tags.get("d", "")):
        return f"its DKIM signature is not by {domain}"
    if "from" not in signed or ("to" not in signed and fields.all("to")):
        return "its DKIM signature does not cover From and To"
    return ""


def _problem_when_checked(message: dkim.DKIM, index: int, dnsfunc: DnsText | None) -> str:
    try:
        valid = message.verify(idx=index, dnsfunc=dnsfunc) if dnsfunc else message.verify(idx=index)
    except dkim.DKIMException as problem:
        return f"its DKIM signature is not valid ({type(problem).__name__})"
    return "" if valid else "its DKIM signature is not valid"


def _tags(signature: str) -> dict[str, str]:
    pairs = (tag.partition("=") for tag in signature.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}


def _ascii_domain(domain: str) -> str:
    """The domain in lower case and, where it has other letters, in its IDNA form; "" where it has none."""
    if len(domain) > 253:
        return ""
    if domain.isascii():
        return domain.lower().rstrip(".")
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""


def _organisation(domain: str) -> str:
    if "." not in domain:
        return domain
    return str(_suffixes().get_public_suffix(domain) or "")


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    """The list of public suffixes that comes with authheaders, which is newer than publicsuffix2's own."""
    place = importlib.resources.files("authheaders") / "public_suffix_list.txt"
    with place.open(encoding="utf-8") as lines:
        return PublicSuffixList(lines)
