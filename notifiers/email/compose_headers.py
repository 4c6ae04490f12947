"""Mail headers that are safe and cheap: ASCII only, one line each when stored, folded at spaces when written.

The standard library parses every header as it is set and folds it again as it is written, which takes longer than all
the rest of composing a mail, and it turns a long Message-ID in References into an encoded word, which breaks threads.
"""

import re
import textwrap
from email.header import Header
from email.policy import EmailPolicy
from functools import lru_cache
from typing import Any

# RFC 5322, section 2.1.1, asks for lines of at most 78 characters; RFC 2047, section 2, for 76 with encoded words.
LONGEST_LINE = 76
# RFC 5321, section 4.5.3.1.6: a line of text of at most 1000 octets, its end included.
LONGEST_BODY_LINE = 998
LONGEST_ADDRESS = 254  # octets: RFC 5321, section 4.5.3.1.3, allows a path of 256, its two brackets included
_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_LABEL = r"[A-Za-z0-9\u0080-\U0010ffff]([A-Za-z0-9\u0080-\U0010ffff-]*[A-Za-z0-9\u0080-\U0010ffff])?"
_PLAIN_ADDRESS = re.compile(rf"{_ATOM}(\.{_ATOM})*@{_LABEL}(\.{_LABEL})*")
# Looser than RFC 5322, but one token without brackets.
_ONE_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,250}@[!-;=?-~]{1,250}>")


class MailPolicy(EmailPolicy):
    """Writes headers as they were set, folded at spaces. Setting one that could not be a single line raises ValueError.

    With `utf8` a header may hold more than ASCII, for the addresses of RFC 6531; only SMTPUTF8 can carry such a mail.
    """

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        """Keep the value as it is, once known to be harmless."""
        text = str(value)
        if not text.isprintable() or not (text.isascii() or self.utf8):
            raise ValueError(f"the header {name} may hold printable ASCII only")
        return name, text

    def header_fetch_parse(self, name: str, value: Any) -> Any:
        """The header in the library's form, except for Content-*, which are given as they were set.

        The library reads those again and again; unparsed they do as well, and parsing would take half of composing.
        """
        return value if name.lower().startswith("content-") else super().header_fetch_parse(name, value)

    def header_max_count(self, name: str) -> int | None:
        """How often a header may occur in a mail; cached, because the library makes a class for each call."""
        return _max_count(name)

    def fold(self, name: str, value: str) -> str:
        """The header as written, with its line ends; never folded right after its name, which old parsers misread."""
        line = f"{name}: {value}"
        if len(line) > LONGEST_LINE:
            held = f"{name}:\N{NO-BREAK SPACE}{value}"
            pieces = textwrap.wrap(held, LONGEST_LINE, break_long_words=False, break_on_hyphens=False)
            line = f"{self.linesep} ".join(pieces).replace("\N{NO-BREAK SPACE}", " ", 1)
        return line + self.linesep

    def fold_binary(self, name: str, value: str) -> bytes:
        """The same as bytes."""
        return self.fold(name, value).encode("utf-8")


POLICY = MailPolicy(linesep="\r\n", max_line_length=LONGEST_BODY_LINE)
UTF8_POLICY = POLICY.clone(utf8=True)


@lru_cache(maxsize=64)
def _max_count(name: str) -> int | None:
    return EmailPolicy().header_max_count(name)


def free_text(text: str) -> str:
    """Free text for a header: unchanged if it is plain ASCII, else in RFC 2047's encoded words.

    What only looks like an encoded word is encoded too, or a mail client would decode what nobody has checked.
    """
    if text.isascii() and "=?" not in text:
        return text
    return Header(text, "utf-8", maxlinelen=LONGEST_LINE).encode(linesep="")


def mailbox(name: str, address: str) -> str:
    """`Name <address>` for From, To or Reply-To. Both must be single lines already."""
    if not name:
        return address
    written = free_text(name)
    if written == name and not _NEEDS_NO_QUOTES.fullmatch(name):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        written = f'"{escaped}"'
    return f"{written} <{address}>"


def is_plain_address(address: str) -> bool:
    """Whether this is one `local@domain` that needs no quoting: RFC 5321's dot-string, or RFC 6531's beyond ASCII."""
    fits = len(address.encode("utf-8", "replace")) <= LONGEST_ADDRESS
    return fits and address.isprintable() and bool(_PLAIN_ADDRESS.fullmatch(address))


def is_message_id(text: str) -> bool:
    """Whether this can stand in In-Reply-To or References as one message's id."""
    return bool(_ONE_MESSAGE_ID.fullmatch(text))
