"""The elements, attributes and free properties that mail clients use for ordinary text. Data only."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BLOCKS = _words("""
    html address article aside blockquote body center dd div dl dt figure figcaption footer form h1 h2 h3 h4 h5 h6
    header hr li main nav ol p pre section table tbody tfoot thead tr ul""")
INLINE = _words("""
    #document a abbr acronym b basefont bdi big br cite code col colgroup dfn em font i img input ins kbd label mark
    nobr o:p q samp small span st1:city st1:place st1:country-region st1:personname st1:date st1:time st1:placename
    st1:placetype st1:state st1:street st1:address strong sub sup td th tt u var wbr time data""")
# Shown by no program, unless a style says so; a picture of one pixel is one of them.
UNSHOWN = _words("head title style script meta link base datalist area param")
CELLS = _words("td th")
# With no style of its own such text is hidden in any program; other values mean something else.
HIDING = _words("hidden true") | {""}
# What is shown elsewhere than where it stands in the text.
ELSEWHERE = _words("caption tfoot legend")
ATTRIBUTES = _words("""
    align alink alt bgcolor border cellpadding cellspacing charset cite class clear color colspan content
    contenteditable dir face height hidden href hspace http-equiv id itemprop itemscope itemtype lang link media
    name nowrap prefix property referrerpolicy rel rev role rowspan rules scope shape size spellcheck src srcset
    start style summary tabindex target text title translate type valign value version vlink vspace width xml:lang
    xmlns datetime download loading bis_size bis_skin_checked unselectable fetchpriority crossorigin usemap ismap
    readonly checked autocomplete autocapitalize autocorrect inputmode longdesc loading decoding draggable
    moz-do-not-send frame noshade cols datafld event_id fallback""")
ATTRIBUTE_PREFIXES = ("data-", "aria-", "xmlns:", "x_", "o:", "v:", "w:", "wrc", "_", "ng-", "js")
# Ids, classes and names of the containers in which clients put what is answered, unmarked.
QUOTES = _words("""
    divrplyfwdmsg yahoo_quoted ms-outlook-mobile-reference-message mail-editor-reference-message-container
    replysplit olk_src_body_section messagereplysection""")
# In an id, class or name it tells the container of a signature; so do these whole.
SIGNATURE = "signature"
SIGNATURES = _words("bloop_sign mb_sig")
SIGNED = _words("div span p pre table section")

# No value of these hides, moves or covers text.
FREE_PREFIXES = (
    "mso-", "font-", "-webkit-user-", "page-break-", "break-", "text-align", "text-decoration-", "-qt-", "border-",
    "text-wrap", "text-underline", "scroll", "-webkit-font-", "-moz-", "-ms-", "background-", "--darkreader-", "--tw-",
    "text-justify", "text-autospace", "-webkit-border-", "-apple-", "transition", "text-emphasis", "text-decorations",
)  # fmt: skip
FREE = frozenset({
    "white-space-collapse", "box-decoration-break", "-webkit-box-decoration-break", "gap",
    "align-items", "box-sizing", "-webkit-box-sizing", "caret-color", "clear", "cursor", "direction", "empty-cells",
    "hyphens", "justify-content", "line-break", "object-fit", "orphans", "outline-color", "outline-style",
    "outline-offset", "overflow-wrap", "page", "pointer-events", "quotes", "resize", "size",
    "supported-color-schemes", "tab-size", "tab-interval", "tab-stops", "table-layout", "text-rendering",
    "text-size-adjust", "user-select", "widows", "word-break", "word-wrap", "z-index", "layout-grid-mode",
    "punctuation-wrap", "list-style-position", "-webkit-line-break", "-webkit-nbsp-mode", "-webkit-locale",
    "-webkit-hyphens", "-webkit-tap-highlight-color", "-webkit-overflow-scrolling", "-webkit-text-decoration-color",
    "-webkit-text-decorations-in-effect", "-webkit-text-stroke-color", "-webkit-print-color-adjust",
    "print-color-adjust", "forced-color-adjust", "accent-color", "text-spacing-trim", "font", "ime-mode",
    "layout-flow", "zoom-text", "counter-reset", "will-change", "appearance", "-webkit-touch-callout",
    "-webkit-user-modify", "text-kashida-space", "text-kashida", "text-line-through-mode", "unicode-range", "src",
})  # fmt: skip
