"""The elements, attributes and declarations that mail clients use for ordinary text. Data only."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BLOCKS = _words("""
    html address article aside blockquote body center dd div dl dt figure figcaption footer form h1 h2 h3 h4 h5 h6
    header hr li main nav ol p pre section table tbody tfoot thead tr ul""")
INLINE = _words("""
    #document a abbr acronym b basefont bdi big br cite code dfn em font i img input ins kbd label mark
    nobr o:p samp small span st1:city st1:place st1:country-region st1:personname st1:date st1:time st1:placename
    st1:placetype st1:state st1:street st1:address strong sub sup td th tt u var time data""")
# Shown by no program, unless a style says so; a picture of one pixel is one of them.
UNSHOWN = _words("head title style script meta link base datalist area param")
CELLS = _words("td th")
# Smaller than the text around.
SMALL = _words("small sub sup h5 h6")
# With no style of its own such text is hidden in any program; with other values in some.
HIDING = _words("hidden true") | {""}
# What is shown elsewhere than where it stands in the text.
ELSEWHERE = _words("caption thead tfoot legend")
COLOURS = {"bgcolor": "background", "color": "color", "text": "color", "link": "color", "vlink": "color"}
ATTRIBUTES = _words("""
    align alink alt bgcolor border cellpadding cellspacing charset cite class clear color colspan content
    contenteditable dir face height href hspace http-equiv id itemprop itemscope itemtype lang link media
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

# Of a style: what it may say of these. Names stand here without the prefix of a browser, such as `-webkit-`.
NEUTRAL = _words("inherit initial unset revert auto normal none")
TEXT_COLOURS = _words("inherit initial unset revert windowtext currentcolor")
BACKGROUNDS = NEUTRAL | _words("""
    window repeat no-repeat repeat-x repeat-y scroll fixed local center left right top bottom""")
NO_COLOURS = TEXT_COLOURS | BACKGROUNDS  # of an attribute, where these words are other colours
BLOCK_DISPLAYS = _words("block list-item table table-row table-row-group")
INLINE_DISPLAYS = _words("inline inline-block inline-table table-cell")
WORDS = {
    "display": BLOCK_DISPLAYS | INLINE_DISPLAYS | {"none"},
    "white-space": _words("nowrap pre pre-wrap pre-line break-spaces"),
    "position": _words("static relative"),
    "visibility": _words("visible"),
    "unicode-bidi": _words("embed isolate plaintext"),
    "text-transform": _words("uppercase lowercase capitalize"),
    "background-clip": _words("border-box padding-box"),
    "mso-hide": frozenset[str](),
}
# CSS pixels, but numbers where there is no unit. What ends a text that is wider or higher than its box, is no matter.
LENGTHS = {
    "font": (8, 100), "font-size": (8, 100), "line-height": (8, 100),
    "width": (100, 2500), "max-width": (100, 8000), "min-width": (0, 800), "opacity": (1, 1),
    "height": (15, 8000), "max-height": (15, 80000), "min-height": (0, 1000), "vertical-align": (-8, 80),
    "text-indent": (-40, 100), "letter-spacing": (-1, 5), "word-spacing": (-1, 10), "text-stroke": (0, 0),
    "text-stroke-width": (0, 0),
    "left": (-2, 5), "top": (-2, 2), "right": (-2, 2), "bottom": (-2, 2), "outline": (0, 10), "outline-width": (0, 10),
    "mso-text-raise": (-8, 8), "margin": (0, 800), "padding": (0, 400), "border": (0, 50), "text-decoration": (0, 3),
}  # fmt: skip
LENGTHS_OF_ALL = ("margin", "padding", "border", "text-decoration")  # and of what begins so, as `margin-left`
# What is said of these must be as above, or text may stand over or above other text.
MOVING = (
    "position", "left", "top", "right", "bottom", "margin", "inset", "offset", "box-shadow", "outline", "transform",
    "translate", "rotate", "scale", "order", "all", "content", "clip", "mask", "filter", "columns", "grid", "flex",
    "anchor",
)  # fmt: skip
FONTS_OF_SIGNS = _words("wingdings webdings symbol")
MOVING_DISPLAYS = _words("table-header-group table-footer-group table-caption")
# No plain value of these hides, moves or covers text.
FREE_PREFIXES = (
    "mso-", "font-variant", "user-", "page-break-", "break-", "text-align", "text-wrap",
    "overflow", "scroll", "transition", "--darkreader-", "--tw-", "text-spacing", "text-kashida",
)  # fmt: skip
FREE = _words("""
    block-indent paragraph-type text-decorations-in-effect
    accent-color align-items appearance background-attachment background-origin background-position background-repeat
    background-size box-decoration-break box-sizing caret-color clear counter-reset cursor direction empty-cells
    font-family font-kerning font-stretch font-style font-weight forced-color-adjust gap hyphens ime-mode
    justify-content layout-flow layout-grid-mode line-break list-style list-style-position list-style-type
    nbsp-mode object-fit orphans osx-font-smoothing outline-color outline-style page
    pointer-events print-color-adjust punctuation-wrap resize supported-color-schemes tab-interval
    tab-size tab-stops table-layout tap-highlight-color text-autospace text-justify text-rendering text-size-adjust
    text-stroke-color touch-callout white-space-collapse widows will-change word-break word-wrap z-index
    locale text-line-through-mode""")
