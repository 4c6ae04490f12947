"""How HTML's elements are shown, as far as it matters for reading what a mail says. Data only."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BLOCKS = _words("""
    address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol p pre section summary table tbody
    tfoot thead tr ul""")
VOID = _words("area base br col embed hr image img input link meta param source track wbr")
STRUCK = _words("s strike del")
HIDDEN = _words("template datalist")
# What may stand in the head; anything else ends it, said or unsaid.
IN_HEAD = _words("base basefont bgsound head link meta noframes noscript script style template title")
PICTURES = _words("img image input embed")
# Shown in ways that can't be read as text, or not everywhere.
NO_TEXT = _words("""
    applet audio bdo blink button canvas details dialog fencedframe frame frameset iframe listing map marquee math
    meter noembed noframes noscript object optgroup option plaintext portal progress ruby select svg
    textarea video xmp""")
TABLE_FRAME = _words("table tbody thead tfoot tr")
CELLS = _words("td th")
ROWS = _words("tbody tfoot tr td th")
PARTS = ROWS | _words("tr thead")
# What may stand in a table; anything else is shown above it.
IN_TABLE = _words("caption colgroup col thead tbody tfoot tr td th style script template form")
COLOURED = _words("body table thead tbody tfoot tr td th")  # that know `bgcolor`
# With `align` they stand beside what is around them.
ALIGNED = _words("table img image input embed object iframe applet marquee fieldset legend")
# Shown by no browser, unless a style says so.
UNSHOWN = _words("head title style script meta link base template datalist area param")
# Where a start tag ends an open element unsaid (WHATWG HTML, section 13.1.2.4).
ENDED_BY: dict[str, frozenset[str]] = {
    "p": BLOCKS, "li": _words("li"), "dt": _words("dt dd"), "dd": _words("dt dd"), "td": _words("td th tr"),
    "th": _words("td th tr"), "tr": _words("tr"), "a": _words("a"), "option": _words("option"),
    **{f"h{n}": _words("h1 h2 h3 h4 h5 h6") for n in range(1, 7)},
}  # fmt: skip
# Ids, classes and names of the containers in which clients put what is answered, unmarked.
QUOTE_BEGINS = _words("""
    divrplyfwdmsg yahoo_quoted ms-outlook-mobile-reference-message mail-editor-reference-message-container
    replysplit olk_src_body_section messagereplysection""")
# In an id, class or name it tells the container of a signature; so do these whole.
SIGNATURE = "signature"
SIGNATURES = _words("bloop_sign mb_sig")
SIGNED = _words("div span p pre table section")
