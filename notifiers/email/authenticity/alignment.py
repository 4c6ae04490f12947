"""Which domain may vouch for which."""

import importlib.resources
import re
from functools import lru_cache

from publicsuffix2 import PublicSuffixList

_UPPER = re.compile(r"[A-Z]")  # of these alone: the Kelvin sign would become a k
_HOSTNAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


def aligned(domain: str, signer: str) -> bool:
    """Whether a signature by `signer` may vouch for an address of `domain`: the same, its parent or its child.

    Stricter than DMARC's relaxed alignment (RFC 7489, section 3.1.1), which also lets two children of one
    organisation vouch for each other. That takes knowing where an organisation begins, and no list knows all of it:
    the tenants of onmicrosoft.com are strangers to each other and not on the list of public suffixes, and so are those
    of a top-level domain that is younger than the list, or one's own. For parent and child it is enough to
    know that the parent is no public suffix, and no ordinary signer needs more.
    """
    one, two = sorted((ascii_domain(domain), ascii_domain(signer)), key=len)
    if not (_HOSTNAME.fullmatch(one) and _HOSTNAME.fullmatch(two)):
        return False
    # Not strict: the rule for what is not listed is `*`, so that a lone label is a public suffix (publicsuffix.org).
    return one == two or (two.endswith(f".{one}") and _suffixes().get_tld(one, strict=False) != one)


def ascii_domain(domain: str) -> str:
    """The domain in lower case and, if it isn't ASCII, in its IDNA form; "" if it has none.

    Also "" if the IDNA of 2003, which Python has, changes its letters: `straße` would be `strasse`, which is another
    domain today and may belong to somebody else.
    """
    if len(domain) > 253:
        return ""
    lower = _UPPER.sub(lambda letter: letter[0].lower(), domain).removesuffix(".")
    if lower.isascii():
        return lower
    try:
        encoded = lower.encode("idna")
        return encoded.decode("ascii") if encoded.decode("idna") == lower else ""
    except UnicodeError:
        return ""


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    """The list of public suffixes that comes with authheaders, which is newer than publicsuffix2's own."""
    place = importlib.resources.files("authheaders") / "public_suffix_list.txt"
    with place.open(encoding="utf-8") as lines:
        return PublicSuffixList(lines)
