"""Text for people: wrapped in a terminal, in whole lines when it goes to a file or another program."""

from rich.console import Console, RenderableType

# Longer lines are hard to read.
WIDEST = 110
# So wide that nothing is ever wrapped or cut: a program that filters lines needs whole ones.
UNWRAPPED = 1_000_000


def console(*, stderr: bool = False) -> Console:
    """A console that shows text as it is; styles come from code alone."""
    made = Console(markup=False, emoji=False, highlight=False, stderr=stderr)
    made.width = min(made.width, WIDEST) if made.is_terminal else UNWRAPPED
    return made


def show(page: RenderableType, screen: Console | None = None) -> None:
    """Print for people."""
    screen = screen or console()
    if screen.is_terminal:
        screen.print(page)
        return
    with screen.capture() as captured:
        screen.print(page)
    # The last column of a table is padded with spaces.
    for line in captured.get().splitlines():
        screen.file.write(line.rstrip() + "\n")
    screen.file.flush()
