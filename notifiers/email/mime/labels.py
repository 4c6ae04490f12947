"""Which charset a mail means by the name it gives it.

Mail programs write many names for few charsets, and mean by some of them more than the standard behind them has. Both
are written down in the WHATWG Encoding Standard, section 4.2 (https://encoding.spec.whatwg.org/#names-and-labels), as
all browsers follow it; names of Java's, IANA's and Microsoft's registers that mails carry are added here. What Python
knows under the same name and meaning is left out.
"""

from __future__ import annotations

import codecs
import re

# Codecs that Python counts as text but no mail client reads a mail in; some of them are quadratic.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
# Python's codec, and the names that mean it.
_LABELS = {
    "utf-8": "unicode-1-1-utf-8 unicode-2-0-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8 utf8mb4 utf-8mb4",
    "utf-16": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff",
    "utf-16-be": "unicodefffe",
    "cp1252": "ansi x-ansi",
    "iso8859-6": "csiso88596e csiso88596i",
    "iso8859-7": "sun_eu_greek",
    "iso8859-8": "csiso88598e csiso88598i logical visual",
    "iso8859-15": "csisolatin9 latin-9 latin9 l9",
    "koi8-r": "koi koi8",
    "koi8-u": "koi8-ru",
    "mac-roman": "csmacintosh mac macintosh x-mac-roman",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "cp874": "dos-874",
    "cp850": "cspc850multilingual",
    "gb18030": "cn-gb csgb2312 csiso58gb231280 gb_2312 gb_2312-80 gb2312-80 x-euc-cn x-gbk x-mac-chinesesimp",
    "big5hkscs": "big5-eten cn-big5 csbig5 x-big5 x-x-big5 x-mac-chinesetrad",
    "euc_jp": "cp51932 cseucpkdfmtjapanese x-euc-jp",
    "iso2022_jp_ext": "cp50220 cp50221 csiso2022jp iso-2022-jp-ms x-windows-iso2022jp",
    "cp932": "csshiftjis cswindows31j ms_kanji windows-31j x-ms-cp932 x-sjis",
    "cp949": "cseuckr csksc56011987 iso-ir-149 ks_c_5601-1989 ksc_5601",
}
_CODECS = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}
# What is meant where Python's codec is the narrower standard.
_MEANT = {
    "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874", "shift_jis": "cp932",
    "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "big5": "big5hkscs", "iso2022_jp": "iso2022_jp_ext",
}  # fmt: skip
_LABEL = re.compile(r"[!-~]{1,60}")
# Names made of a number: windows-1252, x-cp1250, dos-850, iso-8859-8-i, iso88592.
_NUMBERED = re.compile(r"(?:x-)?(?:(?:windows|dos|ibm|cp|ms)[-_]?([0-9]{2,5})|iso[-_]?8859[-_]?([0-9]{1,2})(?:-[ei])?)")


def codec_of(label: str) -> str:
    """Python's codec for a name in lower case; "" where no mail client reads a mail in it, or nobody knows it."""
    if not _LABEL.fullmatch(label):
        return ""
    name = _CODECS.get(label) or _known(label) or _known(_by_number(label))
    return _MEANT.get(name, name)


def _by_number(label: str) -> str:
    numbered = _NUMBERED.fullmatch(label)
    if not numbered:
        return ""
    return f"cp{numbered[1]}" if numbered[1] else f"iso8859-{numbered[2]}"


def _known(label: str) -> str:
    try:
        b"text".decode(label, "replace")  # refuses what Python knows but not as text, such as base64
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""
    return "" if name.replace("-", "_") in _NO_CHARSETS else name
