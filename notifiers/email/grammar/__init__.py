"""Whether a line is an answer, and whether the lines below put it in doubt.

`lexicon` holds the words, from the files in `languages`; `folded` folds what people write, `names` knows a name,
`segments` says what each part of a line is, `line` what the whole line says, and `doubt` what follows it.
"""

from notifiers.email.grammar.line import NOTHING, Line, read_line
from notifiers.email.grammar.names import Names, words_of_name

__all__ = ["NOTHING", "Line", "Names", "read_line", "words_of_name"]
