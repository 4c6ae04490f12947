"""The text of a part: its transfer encoding undone, its charset decoded, its soft line breaks joined."""

from __future__ import annotations

import binascii
import codecs
import re

from notifiers.email import caps
from notifiers.email.parts import Part, Unreadable

_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]*+[=\s]*+")
# Where HTML may say itself how it is written (WHATWG HTML, section 13.2.3.2).
MOST_FLOWED = 4 * caps.MOST_LINES
LONGEST_META = 1_024
_META = re.compile(rb"<meta[^>]{1,200}charset\s{0,9}=\s{0,9}[\"']?([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
# Codecs that Python counts as text but no mail is written in; some of them are quadratic.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
# What mail programs mean by these names; the first two as every browser reads them.
_MEANT = {
    "iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "ansi": "cp1252", "x-ansi": "cp1252",
    "x-sjis": "cp932", "shift_jis": "cp932", "x-euc-jp": "euc_jp", "gb2312": "gb18030", "x-gbk": "gb18030",
    "x-euc-tw": "big5", "x-mac-roman": "mac_roman", "macintosh": "mac_roman", "unicode-1-1-utf-7": "utf_7",
    "iso-8859-8-i": "iso8859_8", "windows-874": "cp874", "x-windows-949": "cp949", "ks_c_5601-1987": "cp949",
    "cp50220": "iso2022_jp_ext", "cp50221": "iso2022_jp_ext", "iso-2022-jp-ms": "iso2022_jp_ext", "cp51932": "euc_jp",
    "utf8mb4": "utf-8", "unicode-1-1-utf-8": "utf-8", "gb_2312-80": "gb18030", "windows-936": "gb18030",
}  # fmt: skip


def part_text(part: Part) -> str:
    """The text of a text part, lines ended by \\n. Raises Unreadable where its encoding is unknown or broken."""
    data = _transferred(part)
    charset = part.params.get("charset", "").strip().strip("'\"").lower()
    if not charset and part.type == "text/html":
        meta = _META.search(data, 0, LONGEST_META)
        charset = meta[1].decode("ascii").lower() if meta else ""
    text = _decode(data, charset)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if part.type == "text/plain" and part.params.get("format", "").lower() == "flowed":
        return _unflowed(text, part.params.get("delsp", "").lower() == "yes")
    return text


def _transferred(part: Part) -> bytes:
    encoding = part.fields.first("content-transfer-encoding").strip().lower()
    body = part.body
    if encoding in ("", "7bit", "8bit", "binary"):
        return body
    if encoding == "quoted-printable":
        return binascii.a2b_qp(body)
    if encoding == "base64" and _BASE64.fullmatch(body):
        packed = b"".join(body.split())
        whole = packed[: len(packed) // 4 * 4] if packed[-1:] != b"=" else packed
        try:
            return binascii.a2b_base64(whole, strict_mode=True) if whole else b""
        except binascii.Error as problem:
            raise Unreadable("malformed", "The text of the mail is not encoded as it says.") from problem
    raise Unreadable("malformed", "The text of the mail is encoded in a way that can't be read.")


def _decode(data: bytes, charset: str) -> str:
    if charset in ("", "us-ascii", "ascii", "utf-8", "utf8"):
        return _utf8_or_western(data, strictly=charset.startswith("utf"))
    try:
        name = codecs.lookup(_MEANT.get(charset, charset)).name
        if name.replace("-", "_") in _NO_CHARSETS:
            raise LookupError(charset)
        return data.decode(name, "replace")
    except (LookupError, ValueError):
        # Whatever it is called: what is ASCII in it reads the same in nearly all charsets, the rest is no answer.
        return data.decode("ascii", "replace")


def _utf8_or_western(data: bytes, *, strictly: bool) -> str:
    """Undeclared text is UTF-8 if it can be, else what mail clients then take it for."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("utf-8" if strictly else "cp1252", "replace")


def _unflowed(text: str, del_sp: bool) -> str:
    """Join the lines that RFC 3676 says are one: a line that ends in a space flows on, at the same quote depth."""
    lines: list[tuple[int, list[str]]] = []
    open_depth = -1
    for line in text.split("\n", MOST_FLOWED)[:MOST_FLOWED]:
        said = line.lstrip(">")
        depth = len(line) - len(said)
        said = said.removeprefix(" ")
        flows = said.endswith(" ") and said != "-- "
        kept = said[:-1] if flows and del_sp else said
        if open_depth == depth and said != "-- ":
            lines[-1][1].append(kept)
        else:
            lines.append((depth, [kept]))
        open_depth = depth if flows else -1
    return "\n".join(">" * depth + (" " if depth else "") + "".join(pieces) for depth, pieces in lines)
