"""How much of a mail is looked at, at most. What is over a cap decides nothing; each is far above what people send."""

LARGEST_MAIL = 26_000_000  # bytes; what the large providers let through
LARGEST_HEADER_BLOCK = 262_144  # bytes, of the mail and all its parts together
MOST_HEADERS = 500  # Exchange Online stamps some 120
LONGEST_HEADER = 65_536  # characters, unfolded
LONGEST_STRUCTURED = 4_000  # characters of From, Content-Type and their like, whose parsing is not linear
LONGEST_SUBJECT = 2_000  # characters
MOST_ADDRESSES = 500
MOST_PARTS = 200
MOST_TEXTS = 20  # parts that are read; the others are files
MOST_DELIMITERS = 2_000  # lines that begin like a delimiter of parts
DEEPEST_PART = 8
MOST_ELEMENTS = 10_000  # of ASN.1 in an S/MIME wrapper; a large mail in pieces of 1,000 bytes has 1,000
LARGEST_TEXT = 1_000_000  # bytes of all texts, still encoded; the answer stands at their top
BROKEN_TEXT_SHARE = 4  # a text that is not in the charset it names is looked at to the fourth part
MOST_LINES = 1_000  # of a text, and
LONGEST_LINE = 2_000  # characters of a line: what is longer is no answer
MOST_TAGS = 10_000  # of an HTML body
MOST_ATTRIBUTES = 20_000  # of its tags
DEEPEST_TAG = 200
LARGEST_STYLE = 100_000  # characters of a mail's style sheets
MOST_RULES = 2_000  # in them
LONGEST_STYLE = 4_000  # characters of one style attribute
LARGEST_STYLES = 100_000  # characters of all different ones
MOST_SIGNATURES = 2  # DKIM signatures of the sender's domain that are tried
LARGEST_SIGNED = 2_000_000  # bytes of a mail whose signature is checked here, which takes 0.2 s for each million
MOST_SIGNED_SPACES = 250_000  # runs of white space in such a mail
