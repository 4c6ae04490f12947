"""Whether a mail really comes from the address in its From, according to the one configured rule.

Either the mail server in front of us checked it and wrote that down (RFC 8601), or its DKIM signature (RFC 6376) is
checked here. With no rule nothing is authentic, and so no mail decides.
"""

import re
from typing import NamedTuple

from notifiers.email import limits
from notifiers.email.authenticity.alignment import aligned, ascii_domain
from notifiers.email.authenticity.dkim_signature import DnsText, check_signatures, left_open
from notifiers.email.authenticity.results import Result, cut, read_result, server_of
from notifiers.email.config import AuthenticityRule
from notifiers.email.header_values import one_address
from notifiers.email.mime.parts import Fields, Unreadable, read_fields

# What DMARC says of a domain without a policy, or whose policy couldn't be looked up (RFC 7489, section 11.2);
# "bestguesspass" is Microsoft's, for a guess.
UNDECIDED = ("none", "bestguesspass", "temperror")
# Where Exchange says which of its servers let a mail in.
_SOURCES = ("x-ms-exchange-organization-authsource", "x-ms-exchange-crosstenant-authsource")
_OF_MICROSOFT = re.compile(r"(?:[a-z0-9-]{1,63}\.){1,20}outlook\.com", re.IGNORECASE)


class Authentic(NamedTuple):
    """Whether a mail is authentic, and how that was found, for the record."""

    passed: bool
    how: str


def authenticate(raw: bytes, sender: str, rule: AuthenticityRule, dnsfunc: DnsText | None = None) -> Authentic:
    """Check one mail by the rule; never raises. `sender` is its one From address."""
    domain = ascii_domain(sender.rpartition("@")[2])
    if rule.mode == "off":
        return Authentic(False, "no rule for authentic mail is configured, so mail decides nothing")
    if not domain or len(raw) > limits.LARGEST_MAIL:
        return Authentic(False, "the mail has no sender that could be checked")
    try:
        fields = read_fields(raw)
        if rule.mode == "dkim":
            return Authentic(*check_signatures(raw, fields, domain, dnsfunc))
        results, problem = _results(fields, rule)
        found = Authentic(False, problem) if problem else _vouched(results, domain)
        if found.passed and (doubt := _may_be_sent_on(results, fields, domain)):
            found = Authentic(False, doubt)
        decided = any(each.method == "dmarc" and each.value not in UNDECIDED for each in results)
        if found.passed or not rule.tenant or decided:
            return found
        # If the results leave it open, Exchange may say that a mailbox of the tenant submitted it.
        if problem := _why_not_internal(fields, sender, rule.tenant):
            return Authentic(False, f"{found.how}, and {problem}")
        return Authentic(True, f"Exchange Online says that a mailbox of the tenant {rule.tenant} submitted it")
    except Unreadable as problem:
        return Authentic(False, str(problem))
    except Exception as problem:  # hostile headers raise many kinds in the libraries; none of them is a proof
        return Authentic(False, f"the proof could not be read ({type(problem).__name__})")


def _results(fields: Fields, rule: AuthenticityRule) -> tuple[list[Result], str]:
    """The results in the topmost header, and why they prove nothing, or ""."""
    topmost = fields.first("authentication-results")
    if not topmost:
        return [], "the mail server wrote no Authentication-Results"
    first, *pieces = cut(topmost)
    if rule.exchange_online:
        problem = "" if read_result(first).value else "the topmost Authentication-Results isn't Exchange Online's"
        # With a tenant a DMARC result counts even in such a header: what it says against the mail is not overruled.
        return list(map(read_result, () if problem and not rule.tenant else (first, *pieces))), problem
    if server_of(first) != rule.authserv_id.strip().lower():
        return [], "the topmost Authentication-Results isn't by the server that is trusted"
    return list(map(read_result, pieces)), ""


def _may_be_sent_on(results: list[Result], fields: Fields, domain: str) -> str:
    """Why the mail may be one to somebody else, with other words in To or Subject; or "".

    A mail that passed by a signature alone is proven only as far as that covers it (RFC 6376, section 8.6): whoever got
    a signed "Yes" may send it on. An SPF pass of the same domain shows that it came straight from there.
    """
    # Some servers also give results for identities other than the envelope's sender; Yandex writes `smtp.mail`.
    others = {"smtp.helo", "smtp.pra"}
    spf = [each for each in results if each.method == "spf"]
    spf = [each for each in spf if "smtp.mailfrom" in each.properties or not others & set(each.properties)]
    senders = [_domain_of(each.properties.get("smtp.mailfrom", each.properties.get("smtp.mail", ""))) for each in spf]
    if spf and all(each.value == "pass" for each in spf) and all(aligned(domain, sender) for sender in senders):
        return ""
    signers = {ascii_domain(_signer(each)) for each in results if each.method == "dkim" and each.value == "pass"}
    problem = left_open(fields, domain, signers)
    straight = f"SPF doesn't show that it came straight from {domain}"
    return f"it may be a mail to somebody else that was sent on: {problem}, and {straight}" if problem else ""


def _vouched(results: list[Result], domain: str) -> Authentic:
    """Whether DMARC, or where it is undecided a signature, proves the sender."""
    unread = [each.method for each in results if each.method in ("dmarc", "dkim") and not each.value]
    if unread:
        return Authentic(False, f"the mail server's result for {unread[0]} could not be read")
    dmarc = [each for each in results if each.method == "dmarc"]
    for each in dmarc:
        of = _domain_of(each.properties.get("header.from", ""))
        # Cisco writes `dmarc=pass (p=none dis=none) d=example.com`, which names no From, and so proves nothing.
        ours = of == domain if "header.from" in each.properties else aligned(domain, each.properties.get("d", domain))
        if not ours or each.value not in ("pass", *UNDECIDED):
            return Authentic(False, f"dmarc={each.value} header.from={of}")
    if dmarc and all(each.value == "pass" and "header.from" in each.properties for each in dmarc):
        return Authentic(True, f"dmarc=pass header.from={domain}")
    for each in results:
        signer = _signer(each)
        if each.method == "dkim" and each.value == "pass" and aligned(domain, signer):
            return Authentic(True, f"dkim=pass header.d={signer}")
    unnamed = any(each.value == "pass" for each in dmarc)
    missing = "dmarc=pass names no domain, and no" if unnamed else "neither DMARC nor a"
    return Authentic(False, f"{missing} DKIM signature of {domain} passed")


def _signer(result: Result) -> str:
    """The domain that signed: `header.d`, or that of `header.i`; "" if these contradict each other."""
    signer, user = result.properties.get("header.d", ""), _domain_of(result.properties.get("header.i", ""))
    if not signer or not user:
        return signer or user
    # RFC 6376, section 3.5: the domain of i= is that of d= or below it.
    return signer if f".{user}".endswith(f".{ascii_domain(signer)}") else ""


def _domain_of(value: str) -> str:
    """The domain of a property: some servers write a whole address, or `<address>`."""
    return ascii_domain(value.removeprefix("<").removesuffix(">").rpartition("@")[2])


def _why_not_internal(fields: Fields, sender: str, tenant: str) -> str:
    """Why Exchange Online doesn't say that a mailbox of this tenant submitted the mail as `sender`; "" where it does.

    Such a mail is neither signed nor checked for DMARC. What counts instead are headers that Exchange writes itself
    and removes from mail that comes from outside, by its "header firewall"
    (learn.microsoft.com/exchange/header-firewall-exchange-2013-help). Each must be there exactly once: of two, one may
    be the sender's own.
    """
    wanted = {
        "x-ms-exchange-organization-authas": "internal",
        "x-ms-exchange-crosstenant-authas": "internal",
        "x-ms-exchange-crosstenant-id": tenant.lower(),
    }
    for name, value in wanted.items():
        if [each.lower() for each in fields.all(name)] != [value]:
            return f"{name} is not {value}, once"
    sources = list(map(fields.all, _SOURCES))
    if not any(sources) or any(len(each) > 1 or not all(map(_OF_MICROSOFT.fullmatch, each)) for each in sources):
        return f"{_SOURCES[0]} is not a server under outlook.com, once"
    same = all(one_address(value) == sender for value in fields.all("sender"))
    return "" if same else "its Sender is another than its From"
