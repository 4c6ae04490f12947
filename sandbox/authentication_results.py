"""How the sandbox's mail server says whether a From is true: the Authentication-Results header of RFC 8601."""

import re
from email import policy
from email.parser import BytesHeaderParser
from functools import lru_cache

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|$)")


def without_results_of(authserv_id: str, content: bytes) -> bytes:
    """Remove every Authentication-Results header that speaks in this server's name (RFC 8601, section 5)."""
    kept: list[bytes] = []
    position = 0
    while position < len(content):
        end = _end_of_field(content, position)
        line = content[position:end]
        if not line.strip(b"\r\n"):
            break
        if not _claims(authserv_id, line):
            kept.append(line)
        position = end
    return b"".join(kept) + content[position:]


def _end_of_field(content: bytes, start: int) -> int:
    """Find where a header field ends, its folded lines included."""
    end = start
    while True:
        match = _LINE.match(content, end)
        assert match is not None
        end = match.end()
        if end >= len(content) or content[end : end + 1] not in (b" ", b"\t"):
            return end


def _claims(authserv_id: str, line: bytes) -> bool:
    name, _, value = line.partition(b":")
    if name.strip().lower() != b"authentication-results":
        return False
    # Without quotes, comments and folds, which can hide the name; a header that only mentions it may go, too.
    return authserv_id.encode().lower() in re.sub(rb'[\s"\\]|\([^()]*\)', b"", value).lower()


@lru_cache(maxsize=16)  # it is read for each recipient, and more than once
def from_address(content: bytes) -> str:
    """Read the one address of the one From, in lower case; empty when it isn't exactly one."""
    try:
        fields = BytesHeaderParser(policy=policy.default).parsebytes(content).get_all("From", [])
        addresses = [address for each in fields for address in each.addresses]
        return str(addresses[0].addr_spec).lower() if len(fields) == len(addresses) == 1 else ""
    except Exception:  # the parser raises many kinds on hostile headers; none of them is somebody's address
        return ""


def from_domain(content: bytes) -> str:
    """Read the domain of that address; `unknown` when there is none."""
    domain = from_address(content).rpartition("@")[2]
    return domain if re.fullmatch(r"[a-z0-9.-]{1,253}", domain) else "unknown"
