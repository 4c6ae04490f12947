"""The text of a part: its transfer encoding undone, its charset decoded, its soft line breaks joined.

The WHATWG Encoding Standard says what a charset's name means, as for all browsers; Python may know what it lacks.
"""

import binascii
import codecs
import re
from contextlib import suppress

import webencodings

from notifiers.email import limits
from notifiers.email.folding import UNSURE
from notifiers.email.mime.parts import Part, Unreadable

_BIG_ENDIAN = {"utf-16": codecs.BOM_UTF16_BE, "utf-32": codecs.BOM_UTF32_BE}
# Where HTML may name its own charset (WHATWG HTML, section 13.2.3.2).
_META = re.compile(rb"<meta[^>]{1,200}charset\s{0,9}=\s{0,9}[\"']?([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)

# Codecs that Python counts as text but no mail client reads a mail in; some of them are quadratic.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
# Names that neither the standard nor Python knows, and the wider codec that is meant where Python's is too narrow.
_FURTHER_NAMES = {
    "ucs-2": "utf-16", "unicode": "utf-16", "utf8mb4": "utf-8", "cp65001": "utf-8", "ansi": "cp1252",
    "latin9": "iso8859-15", "koi8-ru": "koi8-u", "cp50220": "iso2022_jp_ext", "cp50221": "iso2022_jp_ext",
    "windows-936": "gb18030", "gbk": "gb18030", "iso2022_jp": "iso2022_jp_ext",
}  # fmt: skip
# A line that ends in a space, isn't a signature's separator, and has another to flow into (RFC 3676).
_FLOWING = re.compile(r"(?m)^(?!>|-- $)(.*) \n(?=[^>\s])(?!-- $)")
_MAY_FLOW = re.compile(r"(?m)^(?!>|-- $)(.*\S) \n(?: \n)+(?=[^>\s])")
_NAME = re.compile(r"[!-~]{1,60}")


def codec_of(label: str) -> str:
    """Python's codec for a name in lower case; "" if it is unknown, or no mail client reads mail in it."""
    if not _NAME.fullmatch(label):
        return ""
    known = webencodings.lookup(label)
    if known and known.name not in ("replacement", "x-user-defined", "utf-16le") and label not in ("ascii", "us-ascii"):
        label = str(known.codec_info.name)
    try:
        name = codecs.lookup(_FURTHER_NAMES.get(label, label)).name
        b"text".decode(name, "replace")  # refuses what Python knows but not as text, such as base64
    except (LookupError, ValueError):
        return ""
    return "" if name.replace("-", "_") in _NO_CHARSETS else _FURTHER_NAMES.get(name, name)


def beginning(part: Part, most: int) -> bytes:
    """The first bytes of a part; none where its encoding is unknown or broken."""
    try:
        return _transferred(part)[:most]
    except Unreadable:
        return b""


def part_text(part: Part) -> str:
    """The text of a text part, lines ended by \\n. Raises Unreadable where its encoding is unknown or broken.

    Where it was cut at a cap it ends in UNSURE, so that no piece of a line is taken for the whole.
    """
    if part.text is None:
        part.text = _text(part)
    return part.text


def _text(part: Part) -> str:
    text, whole = _decoded(part, _transferred(part))
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if not whole:
        text += UNSURE if part.type == "text/plain" else f"{UNSURE}<!--"  # not to be overlooked in hidden text either
    if part.type == "text/plain" and part.params.get("format", "").lower() == "flowed":
        return _unflowed(text, part.params.get("delsp", "").lower() == "yes")
    return text


def _transferred(part: Part) -> bytes:
    """The body without its transfer encoding (RFC 2045, section 6). Raises Unreadable, as `part_text` does."""
    encoding = part.fields.first("content-transfer-encoding").strip().lower()
    if encoding in ("", "7bit", "8bit", "binary"):
        return part.body
    if encoding == "quoted-printable":
        return binascii.a2b_qp(part.body)
    if encoding != "base64":
        raise Unreadable("malformed", "The text of the mail is encoded in a way that can't be read.")
    packed = b"".join(part.body.split())
    over = len(packed) % 4
    # If the cap cut the body, its incomplete end is dropped; a whole body is decoded whole, and may lack padding.
    packed = packed[: len(packed) - over] if part.is_cut else packed + b"=" * (-over % 4)
    try:
        return binascii.a2b_base64(packed, strict_mode=True)
    except binascii.Error as problem:
        raise Unreadable("malformed", "The text of the mail is not encoded as it says.") from problem


def _decoded(part: Part, data: bytes) -> tuple[str, bool]:
    """The text, and whether it is all of it."""
    codecs_tried = _codecs(part, data)
    for codec in codecs_tried:
        with suppress(UnicodeError):
            return codecs.getincrementaldecoder(codec)().decode(data, not part.is_cut), not part.is_cut
    # Replacing what can't be decoded takes up to a hundred times as long as decoding.
    most = part.room // limits.BROKEN_TEXT_SHARE
    whole = len(data) <= most and not part.is_cut
    return codecs.getincrementaldecoder(codecs_tried[-1])("replace").decode(data[:most], whole), whole


def _codecs(part: Part, data: bytes) -> list[str]:
    """The codecs the text may be in, the likeliest first; if it is in none, the last decodes what it can."""
    label = part.params.get("charset", "").strip().strip("'\"").lower()
    if not label and part.type == "text/html":
        label = _own_label(data)
    codec = codec_of(label) if label else "ascii"
    if codec == "ascii":  # undeclared: UTF-8 if it can be, else what mail clients then take it for
        return ["utf-8", "cp1252"]
    if codec in _BIG_ENDIAN:  # without a byte order mark, as browsers read and Windows writes it
        codec += "-be" if data.startswith(_BIG_ENDIAN[codec]) else "-le"
    # An unknown charset, whatever its name: hardly anything but UTF-8 decodes as UTF-8; ASCII reads the same in nearly
    # all charsets, and the rest is no answer.
    return [codec] if codec else ["utf-8", "ascii"]


def _own_label(data: bytes) -> str:
    """The charset that HTML names for itself, but not UTF-16, in which nobody could read it (WHATWG HTML, 13.2.3.2).

    Nor UTF-7 (RFC 2152), which browsers gave up because it served to hide text: only a mail's header may name that.
    """
    meta = _META.search(data, 0, limits.LONGEST_META)
    label = meta[1].decode("ascii").lower() if meta else ""
    return "" if codec_of(label).startswith(("utf-7", "utf-16", "utf-32")) else label


def _unflowed(text: str, del_sp: bool) -> str:
    """Join the unquoted lines that are one according to RFC 3676: a line that ends in a space flows on.

    A line of one space is an empty line (section 4.4), but some programs take it for one that flows on: so the lines
    around it may be one line or two.
    """
    joined = _FLOWING.sub(r"\1" if del_sp else r"\1 ", _MAY_FLOW.sub(rf"\1 {UNSURE}", text))
    return re.sub(r"(?m)^ ", "", joined)
