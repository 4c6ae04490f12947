"""Whether a line is an answer, and what the lines below it do to it.

`words` and `around` are the tables, `letters` folds what people write, `names` knows a name from a trick, `kinds` says
what each segment of a line is, `line` what the whole line says, and `below` what follows it.
"""

from notifiers.email.grammar.below import (
    NARROWEST_WRAP,
    holds_answer,
    is_closing,
    is_condition,
    is_name,
    runs_on,
    speaks_to_somebody,
    takes_back,
)
from notifiers.email.grammar.letters import fold
from notifiers.email.grammar.line import NOTHING, UNSURE, Line, read_line

__all__ = [
    "NARROWEST_WRAP", "NOTHING", "UNSURE", "Line", "fold", "holds_answer", "is_closing", "is_condition", "is_name",
    "read_line", "runs_on", "speaks_to_somebody", "takes_back",
]  # fmt: skip
