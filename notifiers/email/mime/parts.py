"""Cut a mail into its header fields and parts, in time linear in its size.

Written for this purpose because the standard library's parser recurses, grows quadratically on hostile mails, and
guesses where a mail is malformed. Here what two programs could read in two ways raises Unreadable: then a mail client
may have shown the sender something else than we would read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message

from notifiers.email import limits

_EMPTY_LINE = re.compile(rb"^\r?\n", re.MULTILINE)
_FIELD_NAME = re.compile(r"[!-9;-~]+")
_BOUNDARY = re.compile(r"[ -~]{1,200}")
# How some stores mark the beginning of a mail; but `From : grace@example.com` is a field in the old syntax.
_MBOX_LINE = re.compile(rb">?From (?![ \t]*:)")
# Fields that may come only once: RFC 5322, section 3.6, and RFC 2045 for the last ones, which stand in parts too.
SINGLE_OF_PART = ("content-type", "content-transfer-encoding", "content-disposition", "content-id")
SINGLE = (
    "from", "sender", "reply-to", "to", "cc", "bcc", "subject", "date", "message-id", "in-reply-to", "references",
    "mime-version", *SINGLE_OF_PART,
)  # fmt: skip
# Above its first part a multipart may tell old programs what it is, as in "This is a multi-part message in MIME
# format.", "This is an OpenPGP/MIME signed message" and "Dies ist eine mehrteilige Nachricht im MIME-Format."
_NAMES_MIME = re.compile(rb"\bMIME\b", re.IGNORECASE)


class Unreadable(Exception):
    """The mail can't be read safely; `code` says why for machines, the text for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Fields(list[tuple[str, str]]):
    """The header fields of a mail or a part, in order, names in lower case, values unfolded."""

    def all(self, name: str) -> list[str]:
        """Every value of one name, topmost first."""
        return [value for each, value in self if each == name]

    def first(self, name: str) -> str:
        """The topmost value of one name, or ""."""
        return next(iter(self.all(name)), "")


@dataclass
class Part:
    """One part: what it says it is, where its body lies in the mail, and the parts within.

    `room` is how much of the body is looked at; `text` caches what `charset.part_text` gives.
    """

    fields: Fields
    type: str
    params: dict[str, str]
    raw: bytes = field(repr=False)
    start: int = 0
    end: int = 0
    parts: list["Part"] = field(default_factory=list)
    room: int = limits.LARGEST_TEXT
    text: str | None = field(default=None, repr=False)

    @property
    def body(self) -> bytes:
        """The body as it stands in the mail, still encoded, cut at the cap for text."""
        return self.raw[self.start : min(self.end, self.start + self.room)]

    @property
    def is_cut(self) -> bool:
        """Whether the body has more than is looked at."""
        return self.end - self.start > self.room

    @property
    def is_file(self) -> bool:
        """Whether a mail client shows this as a file, and not as what the sender says."""
        disposition = self.fields.first("content-disposition").strip().lower()
        named = "name" in self.params or "filename" in disposition
        return named or (disposition != "" and not disposition.startswith("inline"))

    def walk(self) -> "Iterator[Part]":
        """This part and all within, in order."""
        yield self
        for part in self.parts:
            yield from part.walk()


def read_parts(raw: bytes) -> Part:
    """Cut a whole mail. Raises Unreadable where a cap is passed or the structure is ambiguous."""
    if len(raw) > limits.LARGEST_MAIL:
        raise Unreadable("too_large", f"The mail is larger than {limits.LARGEST_MAIL // 1_000_000} MB.")
    mail = _Cutter(raw).part(_start(raw), len(raw), 0)
    texts = [part for part in mail.walk() if part.type.startswith("text/") and not part.is_file]
    for part in texts:
        part.room = limits.LARGEST_TEXT // len(texts)
    return mail


def read_fields(raw: bytes) -> Fields:
    """Only the header fields of a mail or of a piece of one; Unreadable as in `read_parts`."""
    start = _start(raw)
    return _fields(raw[start : _header_end(raw, start, len(raw), limits.LARGEST_HEADER_BLOCK)[0]])


def _start(raw: bytes) -> int:
    return raw.find(b"\n") + 1 if _MBOX_LINE.match(raw) else 0


@dataclass
class _Cutter:
    """Counts the parts of one mail, and the bytes of their headers, while it cuts them."""

    raw: bytes
    count: int = 0
    room: int = limits.LARGEST_HEADER_BLOCK

    def part(self, start: int, end: int, depth: int) -> Part:
        self.count += 1
        if self.count > limits.MOST_PARTS or depth > limits.DEEPEST_PART:
            raise Unreadable("too_many_parts", "The mail has too many parts, or they are nested too deep.")
        header_end, body = _header_end(self.raw, start, end, self.room)
        self.room -= header_end - start
        fields = _fields(self.raw[start:header_end])
        kind, params = _content_type(fields)
        part = Part(fields, kind, params, self.raw, body, end)
        if kind.startswith("multipart/"):
            part.parts = [self.part(low, high, depth + 1) for low, high in _pieces(self.raw, part)]
            if not part.parts:
                raise Unreadable("malformed", "A multipart of the mail has no parts.")
        return part


def _header_end(raw: bytes, start: int, end: int, most: int) -> tuple[int, int]:
    """Where a header of at most `most` bytes ends, and where the body begins."""
    limit = min(end, start + most)
    found = _EMPTY_LINE.search(raw, start, limit)
    if not found and limit < end:
        raise Unreadable("too_many_headers", "The headers of the mail are too long.")
    return found.span() if found else (end, end)


def _fields(block: bytes) -> Fields:
    """The fields of a header, which only an empty line ends.

    A line of white space continues the field above it (RFC 5322, section 4.2: obs-FWS): Exim writes SpamAssassin's
    report like that (`$spam_report`). A program that takes it for the header's end sees text below it; that is refused
    here, as no field begins like that. Neither may a space stand before the colon, which the obsolete syntax of section
    4.5 allows: programs that remove forged fields overlook such a field.
    """
    if b"\0" in block or b"\r" in block.replace(b"\r\n", b"\n").rstrip(b"\r"):
        raise Unreadable("malformed", "The header of the mail holds control characters.")
    pairs: list[tuple[str, list[str]]] = []
    for line in block.decode("utf-8", "replace").replace("\r\n", "\n").split("\n"):
        if line[:1] in (" ", "\t") and pairs:
            pairs[-1][1].append(line)
        elif line:
            name, colon, value = line.partition(":")
            if not colon or not _FIELD_NAME.fullmatch(name):
                raise Unreadable("malformed", "The header of the mail is malformed.")
            pairs.append((name.lower(), [value]))
    if len(pairs) > limits.MOST_HEADERS:
        raise Unreadable("too_many_headers", "The mail has too many header fields.")
    fields = Fields([(name, "".join(lines).strip()) for name, lines in pairs])
    if any(len(value) > limits.LONGEST_HEADER for _, value in fields):
        raise Unreadable("too_many_headers", "A header field of the mail is too long.")
    return fields


def _content_type(fields: Fields) -> tuple[str, dict[str, str]]:
    value = fields.first("content-type")
    if len(value) > limits.LONGEST_STRUCTURED:
        raise Unreadable("malformed", "A Content-Type of the mail is too long.")
    if any(len(fields.all(name)) > 1 for name in SINGLE_OF_PART):
        raise Unreadable("malformed", "A part of the mail says twice what it is.")
    message = Message()
    message["content-type"] = value or "text/plain"
    try:
        pairs = [(str(k).lower(), v) for k, v in message.get_params([])[1:]]
        params = {name: v[2] if isinstance(v, tuple) else str(v) for name, v in pairs}
    except (ValueError, TypeError, IndexError, LookupError) as problem:  # RFC 2231 gone wrong
        raise Unreadable("malformed", "A Content-Type of the mail is malformed.") from problem
    if len(params) < len(pairs):
        raise Unreadable("malformed", "A Content-Type of the mail says one thing twice.")
    return message.get_content_type().split(" ")[0].split("(")[0], params


def _pieces(raw: bytes, part: Part) -> Iterator[tuple[int, int]]:
    """Where the parts of a multipart begin and end (RFC 2046, section 5.1).

    An alternative that isn't closed may have been cut off: if it has only one version, the missing one may differ.
    """
    boundary = part.params.get("boundary", "").rstrip(" ")
    if not _BOUNDARY.fullmatch(boundary):
        raise Unreadable("malformed", "A multipart of the mail has no boundary.")
    delimiter = re.compile(rb"\n--%b(--)?[ \t\r]*(?=\n|\Z)" % re.escape(boundary.encode("ascii")))
    begin, count = -1, 0
    for found in delimiter.finditer(raw, part.start - 1, part.end):
        at = max(found.start() - (raw[found.start() - 1 : found.start()] == b"\r"), begin, part.start)
        if begin >= 0:
            yield begin, at
            count += 1
        else:
            _check_preamble(raw[part.start : min(at, part.start + limits.LONGEST_NOTICE + 1)])
        begin = min(found.end() + 1, part.end)
        if found[1]:
            return
    if begin >= 0 and not count and part.type == "multipart/alternative":
        raise Unreadable("malformed", "The mail was cut off, or an alternative of it isn't closed.")
    if begin >= 0:
        yield begin, part.end


def _check_preamble(preamble: bytes) -> None:
    """Above its first part a multipart holds nothing but a notice: one paragraph that names MIME in its first line.

    Mail programs don't show what stands there, and it may be all that the sender wrote: Content-Type need not be
    signed, and another can be put on top of a mail that is (RFC 6376, sections 8.1 and 8.2). A boundary that stands in
    what the sender quotes would then hide the answer above it, or the parts that were meant.
    """
    lines = preamble.strip().splitlines()
    fits = len(preamble) <= limits.LONGEST_NOTICE and all(line.strip() and not line.startswith(b"--") for line in lines)
    if not fits or (lines and not _NAMES_MIME.search(lines[0])):
        raise Unreadable("malformed", "Above its first part the mail has a text that mail programs don't show.")
