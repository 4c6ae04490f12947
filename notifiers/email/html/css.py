"""CSS properties that can't keep text from being seen where it stands, and colours by name. Data only."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# No value of these hides, moves or covers text.
HARMLESS = _words("""
    -moz-osx-font-smoothing -moz-tab-size -moz-text-size-adjust -moz-user-select -ms-interpolation-mode
    -ms-text-size-adjust -ms-user-select -ms-word-break -webkit-composition-fill-color
    -webkit-composition-frame-color -webkit-font-feature-settings -webkit-font-kerning -webkit-font-smoothing
    -webkit-hyphens -webkit-line-break -webkit-locale -webkit-nbsp-mode -webkit-overflow-scrolling
    -webkit-print-color-adjust -webkit-tap-highlight-color -webkit-text-decoration-color
    -webkit-text-decorations-in-effect -webkit-touch-callout -webkit-user-drag
    -webkit-user-modify -webkit-user-select accent-color align-items background-attachment background-origin
    background-position background-repeat background-size border-collapse box-sizing -moz-box-sizing
    -webkit-box-sizing break-after break-before break-inside caret-color clear counter-reset cursor direction
    empty-cells font-emphasize font-family font-feature-settings font-kerning font-language-override
    font-optical-sizing font-palette font-smooth font-stretch font-style font-synthesis font-variant
    font-variant-alternates font-variant-caps font-variant-east-asian font-variant-emoji font-variant-ligatures
    font-variant-numeric font-variant-position font-variation-settings font-weight forced-color-adjust hyphens
    justify-content layout-flow layout-grid-mode line-break list-style-position list-style-type object-fit orphans
    overflow-anchor overflow-wrap page page-break-after page-break-before page-break-inside pointer-events
    print-color-adjust punctuation-trim punctuation-wrap resize scroll-behavior scrollbar-color scrollbar-width size
    supported-color-schemes tab-interval tab-size tab-stops table-layout text-align text-align-last text-autospace
    text-decoration-color text-decoration-skip text-decoration-skip-ink text-decoration-style
    text-decoration-thickness text-emphasis-color text-justify text-justify-trim text-kashida text-kashida-space
    text-line-through-mode text-rendering text-spacing-trim text-transform text-underline text-underline-offset
    text-underline-position text-wrap text-wrap-mode text-wrap-style transition transition-delay transition-duration
    transition-property transition-timing-function user-select widows will-change word-break word-wrap z-index
    zoom-text""")
# These hide nothing with words, colours and short lengths.
BOUNDED = _words("""
    -webkit-border-radius -webkit-text-stroke-color
    border border-block border-bottom border-bottom-color border-bottom-left-radius border-bottom-right-radius
    border-bottom-style border-bottom-width border-color border-inline border-left border-left-color
    border-left-style border-left-width border-radius border-right border-right-color border-right-style
    border-right-width border-spacing border-style border-top border-top-color border-top-left-radius
    border-top-right-radius border-top-style border-top-width border-width outline-color outline-style
    text-emphasis text-emphasis-style""")
# Properties of one program each, which no other obeys.
OF_ONE_PROGRAM = ("-qt-", "-evo-", "x-apple-", "-apple-")
# Beside a colour in `background`.
BACKGROUND_WORDS = _words(
    "transparent repeat no-repeat repeat-x repeat-y scroll fixed local center top left right bottom / padding-box"
    " border-box initial inherit unset revert none auto cover contain"
)

Colour = tuple[int, int, int]  # red, green, blue
NAMED_COLOURS: dict[str, Colour] = {
    "black": (0, 0, 0), "white": (255, 255, 255), "red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255),
    "navy": (0, 0, 128), "maroon": (128, 0, 0), "purple": (128, 0, 128), "teal": (0, 128, 128), "gray": (128, 128, 128),
    "grey": (128, 128, 128), "silver": (192, 192, 192), "olive": (128, 128, 0), "orange": (255, 165, 0),
    "yellow": (255, 255, 0), "lime": (0, 255, 0), "aqua": (0, 255, 255), "cyan": (0, 255, 255),
    "fuchsia": (255, 0, 255), "magenta": (255, 0, 255),
    "darkblue": (0, 0, 139), "darkgreen": (0, 100, 0), "darkred": (139, 0, 0),
    "dimgray": (105, 105, 105), "darkgray": (169, 169, 169), "lightgray": (211, 211, 211), "lightgrey": (211, 211, 211),
    "crimson": (220, 20, 60), "firebrick": (178, 34, 34),
    "brown": (165, 42, 42), "chocolate": (210, 105, 30), "tomato": (255, 99, 71), "coral": (255, 127, 80),
    "gold": (255, 215, 0), "pink": (255, 192, 203), "violet": (238, 130, 238), "slategray": (112, 128, 144),
    "darkorange": (255, 140, 0), "darkviolet": (148, 0, 211), "midnightblue": (25, 25, 112),
    "dodgerblue": (30, 144, 255),
    "forestgreen": (34, 139, 34), "seagreen": (46, 139, 87), "darkcyan": (0, 139, 139), "sienna": (160, 82, 45),
    "beige": (245, 245, 220), "ivory": (255, 255, 240), "snow": (255, 250, 250), "lightblue": (173, 216, 230),
    "lightyellow": (255, 255, 224), "aliceblue": (240, 248, 255), "darkslategray": (47, 79, 79),
    "whitesmoke": (245, 245, 245), "steelblue": (70, 130, 180), "royalblue": (65, 105, 225), "indigo": (75, 0, 130),
}  # fmt: skip
