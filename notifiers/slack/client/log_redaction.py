"""Loggers for Slack's libraries, without the secrets that tokens, links and payloads hold."""

import logging
import re

# Tokens; a socket's address with its ticket; a link that answers in somebody's name; and what opens forms.
SECRETS = re.compile(
    r"\bx(?:ox[a-z]|app)-[A-Za-z0-9-]+|\bwss?://\S+|https?://[^\s'\"]*/(?:commands|actions|app|_hooks|services)/\S+"
    r"|\b[0-9]{6,}\.[0-9]{6,}\.[0-9a-f]{16,}\b|\b(?:ticket|token|secret)=[^\s&'\"]+"
)
MASK = "•••"


def masked(text: str) -> str:
    """The text without secrets."""
    return SECRETS.sub(MASK, text)


class Masking(logging.Filter):
    """Writes each record's text masked, and an exception as its kind alone: its text may hold a whole payload."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record; none is dropped."""
        record.msg, record.args = masked(record.getMessage()), ()
        if record.exc_info:
            kind = record.exc_info[0]
            record.msg += f" ({kind.__name__})" if kind else ""
            record.exc_info, record.exc_text = None, None
        return True


def redacting_logger(name: str, level: int) -> logging.Logger:
    """A logger that drops all below this level, whatever the root is set to: below it the libraries log payloads."""
    logger = logging.getLogger(name)
    logger.setLevel(level)
    if not any(isinstance(one, Masking) for one in logger.filters):
        logger.addFilter(Masking())
    return logger
