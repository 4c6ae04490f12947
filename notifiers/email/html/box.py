"""What CSS says of the boxes that text stands in: their size and place, and what is drawn around them."""

from __future__ import annotations

from notifiers.email.html.style import LARGEST_NUDGE, LARGEST_SHIFT, WORD, Reader, Style, is_bounded, only, within
from notifiers.email.html.values import NEUTRAL, length, pixels

SMALLEST_BOX = 5.0  # CSS pixels; of one that cuts off what it doesn't hold:
SMALLEST_CLIP = {"width": 100.0, "max-width": 100.0, "height": 15.0, "max-height": 15.0}
LARGEST_BOX = 2_500.0


def _display(style: Style, value: str) -> bool:
    if value == "none":
        style.hides = True
    else:
        style.display = value
    return True


def _position(style: Style, value: str) -> bool:
    style.lifted = {"relative": "relative", "absolute": "absolute"}.get(value, "fixed")
    if value in ("static", *NEUTRAL):
        style.lifted = ""
    return value in ("static", "relative", "absolute", "fixed", "sticky", "-webkit-sticky", *NEUTRAL)


_HEIGHTS = ("height", "max-height")
_SIDES = ("left", "top", "right", "bottom")


_SIZES = (
    "width",
    "height",
    "max-width",
    "max-height",
    "min-width",
    "min-height",
    "overflow",
    "overflow-x",
    "overflow-y",
)


BOX = frozenset({*_SIZES, *_SIDES})  # what `check_box` reads


def check_box(style: Style, said: dict[str, str]) -> None:
    """What the size and place of its box make of an element."""
    if _is_far_off(style, said):
        style.vanishes, style.lifted = True, ""
        return
    if _is_flat(said):
        style.flat = True
        return
    clips = any(said.get(name, "visible") != "visible" for name in ("overflow", "overflow-x", "overflow-y"))
    for name in ("width", "height", "max-width", "max-height"):
        least = SMALLEST_CLIP[name] if clips or style.paper else SMALLEST_BOX
        style.dim = style.dim or not _is_roomy(said.get(name, "auto"), least)
    for name in ("min-width", "min-height"):
        style.dim = style.dim or not 0 <= (_or_far(said.get(name, "auto"))) <= LARGEST_BOX
    sides = {name: _or_far(said[name]) for name in _SIDES if name in said}
    if style.lifted == "relative" and any(abs(size) > LARGEST_NUDGE for size in sides.values()):
        style.dim = style.moves = True
    if style.lifted in ("absolute", "fixed"):
        style.dim = True
        below = 0 <= sides.get("top", 0.0) <= LARGEST_BOX and ("top" in sides or "bottom" not in sides)
        style.moves = style.moves or style.lifted == "fixed" or not below
        if style.lifted == "absolute" and not sides.keys() & {"top", "bottom"}:
            style.lifted = "relative"  # stays where it stands, over what follows


def _is_flat(said: dict[str, str]) -> bool:
    """Whether a box has no height, nor a padding to have one, and cuts off what it doesn't hold."""
    if any(name.startswith(("padding", "border", "min-")) for name in said):
        return False
    flat = any(pixels(said.get(name, "auto")) == 0 and said[name] not in NEUTRAL for name in _HEIGHTS if name in said)
    return flat and bool({said.get("overflow"), said.get("overflow-y")} & {"hidden", "clip"})


def _is_far_off(style: Style, said: dict[str, str]) -> bool:
    """Whether a box was taken out of the page, beyond its left or upper end."""
    return style.lifted in ("absolute", "fixed") and any(
        (pixels(said[side]) or 0.0) <= -LARGEST_SHIFT for side in ("left", "top") if side in said
    )


def _or_far(value: str) -> float:
    size = pixels(value)
    return LARGEST_BOX + 1 if size is None else size


def _is_roomy(value: str, least: float) -> bool:
    if value in NEUTRAL or value in ("fit-content", "max-content", "min-content"):
        return True
    found = length(value)
    if found is None:
        return False
    return found[0] >= 10 if found[1] in ("%", "vw", "vh") else least <= _or_far(value) <= LARGEST_BOX


def _space(*sides: str) -> Reader:
    """A margin's or padding's reader; one below nothing upwards moves what stands above or below it."""

    def read(style: Style, value: str) -> bool:
        sizes = [pixels(word) for word in value.split()]
        if not 1 <= len(sizes) <= len(sides) or any(size is None or abs(size) > LARGEST_SHIFT for size in sizes):
            style.moves = style.moves or sides[0] not in ("left", "right")
            return False
        values = dict(zip(("top", "right", "bottom", "left"), _four([size or 0.0 for size in sizes]), strict=True))
        if len(sides) < 4:
            values = dict.fromkeys(sides, min(size or 0.0 for size in sizes))
        style.moves = style.moves or values.get("top", 0.0) < -1 or values.get("bottom", 0.0) < -1
        style.left += values.get("left", 0.0)
        return values.get("right", 0.0) >= -30

    return read


def _four(sizes: list[float]) -> list[float]:
    top = sizes[0]
    right = sizes[1] if len(sizes) > 1 else top
    bottom = sizes[2] if len(sizes) > 2 else top
    return [top, right, bottom, sizes[3] if len(sizes) > 3 else right]


_LINED_UP = {"baseline", "top", "middle", "bottom", "text-top", "text-bottom", "sub", "super"}


def _raised(style: Style, value: str) -> bool:
    return value in _LINED_UP or within(-LARGEST_NUDGE, LARGEST_NUDGE)(style, value)


def _float(style: Style, value: str) -> bool:
    style.floats = value not in NEUTRAL
    return value in ("left", "right", *NEUTRAL)


def _covering(style: Style, value: str) -> bool:
    """A shadow or an outline, which may be drawn over what stands around."""
    plain = all(size is None or abs(size) <= LARGEST_NUDGE for size in map(pixels, WORD.findall(value)))
    style.moves = style.moves or not plain or ("(" in value and not is_bounded(style, value))
    return not style.moves


def _moving(style: Style, value: str) -> bool:
    style.moves = style.moves or value not in NEUTRAL
    return value in NEUTRAL


_AROUND: dict[str, Reader] = {
    "": _space("top", "right", "bottom", "left"), "-left": _space("left"), "-right": _space("right"),
    "-top": _space("top"), "-bottom": _space("bottom"), "-inline-start": _space("left"),
    "-inline-end": _space("right"), "-inline": _space("left", "right"), "-block": _space("top", "bottom"),
    "-block-start": _space("top"), "-block-end": _space("bottom"),
}  # fmt: skip
READERS: dict[str, Reader] = {
    **{f"margin{side}": reader for side, reader in _AROUND.items()},
    **{f"padding{side}": reader for side, reader in _AROUND.items()},
    "display": _display, "position": _position, "float": _float, "text-indent": _space("left"),
    "vertical-align": _raised, "box-shadow": _covering, "text-shadow": _covering, "outline": _covering,
    "transform": _moving, "clip": only(), "zoom": only("1", "100%"), "border-image": only(),
    "box-decoration-break": only("slice", "clone"), "list-style-image": only(),
    "list-style": only("disc", "circle", "square", "decimal", "inside", "outside", "none inside", "none outside"),
}  # fmt: skip
