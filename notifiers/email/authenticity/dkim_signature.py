"""Verify a mail's DKIM signatures (RFC 6376) with the keys that its sender's domain has in DNS."""

import re
import time
from collections.abc import Callable

import dkim
from dkim.dnsplug import get_txt

from notifiers.email import limits
from notifiers.email.authenticity.alignment import aligned, ascii_domain
from notifiers.email.mime.parts import Fields

DNS_SECONDS = 2.0  # for all the look-ups of a mail together
# RFC 8301, section 3: not rsa-sha1, which can be forged, and no RSA key of fewer bits.
ALGORITHMS = ("rsa-sha256", "ed25519-sha256")
SMALLEST_KEY = 1024
# Who answers, to whom, and about what: else what somebody wrote to somebody else could be sent on to us as an answer.
# Not Content-Type and Content-Transfer-Encoding, though changing them changes how the body is read: Gmail signs neither
# and others only the first, and To and Subject show that the body is still its sender's answer to this request.
MUST_BE_SIGNED = ("from", "to", "cc", "subject")
# Runs of white space cost the DKIM library the square of their length.
COSTLIEST_SPACES = 50_000_000

DnsText = Callable[..., bytes | None]  # (name, timeout=seconds) -> the TXT record, or None


def check_signatures(raw: bytes, fields: Fields, domain: str, dnsfunc: DnsText | None = None) -> tuple[bool, str]:
    """Whether a signature proves an address of `domain`, and how, or why none does. May raise for hostile mails."""
    signatures = fields.all("dkim-signature")
    if not signatures:
        return False, "the mail has no DKIM signature"
    if _is_costly(raw):
        return False, "the mail is too long or has too much white space to be checked"
    message = dkim.DKIM(raw, minkey=SMALLEST_KEY)
    look_up = _within(DNS_SECONDS, dnsfunc or get_txt)
    problems = {index: _problem_with(signature, fields, domain) for index, signature in enumerate(signatures)}
    for index in [index for index, problem in problems.items() if not problem][: limits.MOST_SIGNATURES]:
        problems[index] = "its DKIM signature is not valid"
        try:
            if message.verify(idx=index, dnsfunc=look_up):
                return True, f"a DKIM signature of {_tags(signatures[index])['d']} is valid"
        except Exception as problem:  # besides its own the library lets through what DNS and decoding raise
            problems[index] += f" ({type(problem).__name__})"
    return False, list(problems.values())[-1]


def left_open(fields: Fields, domain: str, signers: set[str]) -> str:
    """What the signatures that a server verified don't cover, or "". Those are by `signers`.

    Nothing says for sure which field was verified, and whoever sends a mail on can add more. So each that could vouch
    for an address of `domain` has to cover all; if no signer is aligned by our rule, those by any signer too, as DMARC
    accepts a sibling's; and if no signer is known, all that there are, at least one of which must be aligned.
    """
    siblings = set() if any(aligned(domain, signer) for signer in signers) else signers
    found = [(ascii_domain(tags.get("d", "")), tags) for tags in map(_tags, fields.all("dkim-signature"))]
    vouching = [tags for signer, tags in found if aligned(domain, signer) or signer in siblings]
    if not vouching:
        return f"the mail holds no DKIM signature of {domain}"
    concerned = vouching if signers else [tags for _, tags in found]
    return next(filter(None, (_left_open(tags, fields) for tags in concerned)), "")


def _is_costly(raw: bytes) -> bool:
    if len(raw) > limits.LARGEST_SIGNED or len(raw) - len(raw.rstrip(b"\r\n")) > limits.MOST_BLANK_END:
        return True
    return sum(len(run) ** 2 for run in re.findall(rb"[ \t]+", raw)) > COSTLIEST_SPACES


def _problem_with(signature: str, fields: Fields, domain: str) -> str:
    """Why a signature can't prove anything, whether or not it is valid; or ""."""
    if len(signature) > limits.LONGEST_STRUCTURED:
        return "its DKIM signature is too long"
    tags = _tags(signature)
    if not aligned(domain, tags.get("d", "")):
        return f"its DKIM signature is not by {domain}"
    if tags.get("a") not in ALGORITHMS:
        return f"its DKIM signature is by none of {', '.join(ALGORITHMS)}"
    return _left_open(tags, fields)


def _left_open(tags: dict[str, str], fields: Fields) -> str:
    """What a signature doesn't cover, so that anybody could change it; or ""."""
    if "l" in tags:
        return "its DKIM signature covers only a part of the body (l=)"
    signed = {name.strip().lower() for name in tags.get("h", "").split(":")}
    unsigned = [name for name in MUST_BE_SIGNED if name not in signed and (name == "from" or fields.all(name))]
    return f"its DKIM signature does not cover {unsigned[0].capitalize()}" if unsigned else ""


def _within(seconds: float, dnsfunc: DnsText) -> DnsText:
    """Look-ups that take no longer than this together, whatever the servers of a mail's sender do."""
    until = time.monotonic() + seconds

    def look_up(name: bytes | str, timeout: float = seconds) -> bytes | None:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("DNS took too long")
        return dnsfunc(name, timeout=left)

    return look_up


def _tags(signature: str) -> dict[str, str]:
    pairs = (tag.partition("=") for tag in signature.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}
