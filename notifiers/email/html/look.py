"""How text looks at one place: shown, surely hidden, or in doubt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from notifiers.email.html.css import Colour
from notifiers.email.html.elements import BLOCKS
from notifiers.email.html.style import Style
from notifiers.email.html.values import ABSOLUTE, BLACK, RELATIVE, SIZE_WORDS, WHITE, colour, contrast, length

SMALLEST_TEXT = 5.0  # CSS pixels
LARGEST_TEXT = 200.0
LEAST_CONTRAST = 1.3  # WCAG 2.1's ratio; text wants 4.5, and the palest signatures have about 1.6
LEAST_LEFT = -30.0  # pixels, of all margins and indents together; Word hangs the marks of its lists by 24
MOST_PAIRS = 8
MOST_VARIABLES = 1_000

Pair = tuple[Colour, Colour]  # ink on paper


@dataclass(frozen=True)
class Look:
    """How text looks at one place, inherited from what encloses it."""

    hidden: bool = False  # surely, and no element within can take it back
    faint: bool = False  # shown to nobody by programs that obey its style; there are some that don't
    struck: bool = False  # surely; an element within may take it back
    doubtful: bool = False
    pairs: frozenset[Pair] = frozenset({(BLACK, WHITE)})  # all that it may be: rules of a sheet may apply or not
    size: float = 16.0  # the least that it may be
    left: float = 0.0
    keeps_lines: bool | None = False  # None where it may or may not
    variables: frozenset[str] = frozenset()

    @property
    def gone(self) -> bool:
        """Whether surely no reader sees this text."""
        return self.hidden or (self.struck and not self.doubtful)

    @property
    def unsure(self) -> bool:
        """Whether a reader may not see this text as it stands here."""
        return (
            self.doubtful
            or self.faint
            or not SMALLEST_TEXT <= self.size <= LARGEST_TEXT
            or self.left < LEAST_LEFT
            or any(contrast(ink, paper) < LEAST_CONTRAST for ink, paper in self.pairs)
        )


def doubted(look: Look) -> Look:
    """The same place, in doubt."""
    return look if look.doubtful else replace(look, doubtful=True)


def styled(look: Look, style: Style, tag: str) -> Look:
    """The look inside an element with this `style` attribute."""
    if not style.says:
        return look
    variables = look.variables | style.variables if style.variables else look.variables
    known = not (style.odd or style.uses & variables or len(variables) > MOST_VARIABLES)
    if style.hides and known and not style.display:
        return replace(look, hidden=True)
    pairs = _coloured(look.pairs, style)
    known = known and not (style.dim or style.hides or style.floats or len(pairs) > MOST_PAIRS)
    known = known and is_block(tag, style.display) is not None and not (look.struck or look.faint)
    known = known and (is_block(tag, style.display) is True or not style.flat)
    return replace(
        look,
        struck=look.struck or style.strikes,
        faint=look.faint or style.vanishes or style.flat,
        doubtful=look.doubtful or not known,
        pairs=pairs if len(pairs) <= MOST_PAIRS else look.pairs,
        size=_sized(look.size, style.size),
        left=look.left + style.left if style.left < 0 else max(look.left, min(0.0, look.left + style.left)),
        keeps_lines=look.keeps_lines if style.keeps_lines is None else style.keeps_lines,
        variables=variables if len(variables) <= MOST_VARIABLES else look.variables,
    )


def ruled(look: Look, rules: Iterable[Style], tag: str) -> Look:
    """The look where these rules of a sheet may apply, or may not; one alone that hides is obeyed by most programs."""
    all_of_them = list(rules)
    for rule in all_of_them:
        if look.doubtful:
            break
        other = styled(look, rule, tag)
        if rule.sure and (other.hidden or other.faint) and not other.doubtful and len(all_of_them) == 1:
            return replace(look, faint=True)
        display = is_block(tag, rule.display)
        pairs = look.pairs | other.pairs
        look = replace(
            look,
            doubtful=(
                look.doubtful
                or other.doubtful
                or other.gone != look.gone
                or other.faint != look.faint
                or (display is None or display != is_block(tag))
                or len(pairs) > MOST_PAIRS
            ),
            pairs=pairs if len(pairs) <= MOST_PAIRS else look.pairs,
            size=min(look.size, other.size),
            left=min(look.left, other.left),
            keeps_lines=look.keeps_lines if other.keeps_lines == look.keeps_lines else None,
        )
    return look


def is_block(tag: str, display: str = "") -> bool | None:
    """Whether an element stands in lines of its own; None where it can't be told."""
    if display in ("", "revert"):
        return tag in BLOCKS
    if display in ("inline", "inline-block", "initial", "unset"):
        return False
    if display in ("block", "table", "table-row-group", "table-row"):
        return True
    own = {"list-item": "li", "table-cell": "td th"}.get(display, "")
    return tag in BLOCKS if tag in own.split() else None


def _coloured(pairs: frozenset[Pair], style: Style) -> frozenset[Pair]:
    if not style.ink and not style.paper:
        return pairs
    made: set[Pair] = set()
    for ink, paper in pairs:
        paper = (colour(style.paper, paper) or paper) if style.paper else paper
        ink = (colour(style.ink, paper) or ink) if style.ink not in ("", "inherit") else ink
        made.add((ink, paper))
    return frozenset(made)


def _sized(size: float, value: str) -> float:
    if value == "initial":
        return 16.0
    if value in SIZE_WORDS:
        return float(SIZE_WORDS[value])
    found = length(value)
    if found is None:
        return size * {"smaller": 0.83, "larger": 1.2}.get(value, 1.0)
    if found[1] in ABSOLUTE:
        return found[0] * ABSOLUTE[found[1]]
    return found[0] * RELATIVE.get(found[1], 1.0) * (16.0 if found[1] == "rem" else size)
