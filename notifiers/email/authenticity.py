"""Whether a mail really comes from the address in its From, by the one rule that is configured.

Either the mail server in front of us checked it and wrote that down (RFC 8601), or its DKIM signature (RFC 6376) is
checked here. With no rule nothing is authentic, and so no mail decides.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from pydantic import ConfigDict, Field, model_validator

from countersign.models import Model
from notifiers.email import caps
from notifiers.email.alignment import aligned, ascii_domain
from notifiers.email.authentication_results import Result, cut, read_result, server_of
from notifiers.email.dkim_signature import DnsText, check_signatures
from notifiers.email.parts import Fields, Unreadable, read_fields

# What DMARC says of a domain without a policy, or whose policy couldn't be looked up (RFC 7489, section 11.2); the
# second is Microsoft's, for a guess.
UNDECIDED = ("none", "bestguesspass", "temperror")
# RFC 5322 allows it of old; a server that takes out forged headers may overlook it.
_SPACED_NAME = re.compile(rb"^authentication-results[ \t]+:", re.IGNORECASE | re.MULTILINE)


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
    domain = ascii_domain(sender.rpartition("@")[2])
    if rule.mode == "off":
        return Authentic(False, "no rule for authentic mail is configured, so mail decides nothing")
    if not domain or len(raw) > caps.LARGEST_MAIL:
        return Authentic(False, "the mail has no sender that could be checked")
    try:
        fields = read_fields(raw)
        if rule.mode == "dkim":
            return _by_signature(raw, fields, domain, dnsfunc)
        return _by_results(raw, fields, domain, rule)
    except Unreadable as problem:
        return Authentic(False, str(problem))
    except Exception as problem:  # hostile headers raise many kinds in the libraries; none of them is a proof
        return Authentic(False, f"the proof could not be read ({type(problem).__name__})")


def _by_results(raw: bytes, fields: Fields, domain: str, rule: AuthenticityRule) -> Authentic:
    topmost = fields.first("authentication-results")
    if not topmost:
        return Authentic(False, "the mail server wrote no Authentication-Results")
    if _SPACED_NAME.search(raw, 0, caps.LARGEST_HEADER_BLOCK):
        return Authentic(False, "an Authentication-Results of the mail is not written as servers write it")
    first, *pieces = cut(topmost)
    if rule.exchange_online:
        if not read_result(first).value:
            return Authentic(False, "the topmost Authentication-Results isn't in the form of Exchange Online")
        pieces = [first, *pieces]
    elif server_of(first) != rule.authserv_id.strip().lower():
        return Authentic(False, "the topmost Authentication-Results isn't by the server that is trusted")
    return _judge([read_result(piece) for piece in pieces], domain)


def _judge(results: list[Result], domain: str) -> Authentic:
    """DMARC's word counts; where it has none to say, a signature's."""
    unread = [each.method for each in results if each.method in ("dmarc", "dkim") and not each.value]
    if unread:
        return Authentic(False, f"the mail server's result for {unread[0]} could not be read")
    dmarc = [each for each in results if each.method == "dmarc"]
    for each in dmarc:
        of = _domain_of(each.header.get("from", ""))
        undecided = each.value in UNDECIDED and (of == domain or "from" not in each.header)
        if not undecided and (each.value != "pass" or of != domain):
            return Authentic(False, f"dmarc={each.value} header.from={of}")
    if dmarc and all(each.value == "pass" for each in dmarc):
        return Authentic(True, f"dmarc=pass header.from={domain}")
    for each in results:
        signer = _signer(each)
        if each.method == "dkim" and each.value == "pass" and aligned(domain, signer):
            return Authentic(True, f"dkim=pass header.d={signer}")
    return Authentic(False, f"neither DMARC nor a DKIM signature of {domain} passed")


def _signer(result: Result) -> str:
    """The domain that signed: `header.d`, or what `header.i` has of it; "" where these contradict each other."""
    signer, user = result.header.get("d", ""), _domain_of(result.header.get("i", ""))
    if not signer or not user:
        return signer or user
    # RFC 6376, section 3.5: the domain of i= is that of d= or below it.
    return signer if f".{user}".endswith(f".{ascii_domain(signer)}") else ""


def _domain_of(value: str) -> str:
    """The domain of a property: some servers write a whole address, or `<address>`."""
    if value.startswith("<") and value.endswith(">"):
        value = value[1:-1]
    return ascii_domain(value.rpartition("@")[2])


def _by_signature(raw: bytes, fields: Fields, domain: str, dnsfunc: DnsText | None) -> Authentic:
    signer, problem = check_signatures(raw, fields, domain, dnsfunc)
    return Authentic(bool(signer), f"a DKIM signature of {signer} is valid" if signer else problem)
