"""How often Python looks for garbage in a process that serves; used by the roots alone."""

import gc

# Most objects live as long as one task of a workflow, or one page: Python's own 700 looks for garbage many times in
# each.
GARBAGE_AFTER = 20_000


def collect_seldom() -> None:
    """Leave out of every look what the imports have made, as it stays for good, and look less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)
