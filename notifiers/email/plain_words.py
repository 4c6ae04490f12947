"""Words that can mean one thing only, for mails where a short "OK" or "no" may mean another."""

from __future__ import annotations

import re

from notifiers.email.folding import read_toml

_WORDS = read_toml("plain_words")
_ANSWERS = re.compile(rf"\b(?:{'|'.join(_WORDS['beginnings'])})|{'|'.join(_WORDS['anywhere'])}", re.IGNORECASE)
_UNDO = re.compile("|".join(_WORDS["undo"]), re.IGNORECASE)
_MARKS = " \t.,!*_\"'“”。！"


def is_plain_answer(line: str) -> bool:
    """Whether a line that was read as an answer holds a word that approves or rejects, and means nothing else."""
    return _ANSWERS.search(line) is not None


def asks_to_undo(line: str) -> bool:
    """Whether a line, whole, says that what was asked for or approved shall end: REVOKE, CANCEL and their like."""
    return _UNDO.fullmatch(re.sub(r"[,\s]+", " ", line).strip(_MARKS)) is not None
