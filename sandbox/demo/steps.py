"""How the story reports a step that did not happen."""

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from imapclient import IMAPClient
from temporalio.service import RPCError

from countersign.errors import CountersignError
from sandbox.browser import NoSuchButton
from sandbox.people import NoSuchMail
from sandbox.slack.people import CannotDo, NotDelivered

EXPECTED = (
    *(CountersignError, RPCError, NoSuchMail, smtplib.SMTPException, IMAPClient.Error, OSError, TimeoutError),
    *(CannotDo, NotDelivered, NoSuchButton, httpx.HTTPError),
)


class StepFailed(Exception):
    """A step of the story did not happen; the text names it."""


@contextmanager
def step(text: str) -> Iterator[None]:
    """Name what is being tried: whatever fails in the block is a StepFailed that begins with `text`."""
    try:
        yield
    except EXPECTED as problem:
        raise StepFailed(f"{text}: {problem or type(problem).__name__}") from problem


def must(fact: bool, text: str) -> None:
    """Raise StepFailed with `text` unless the fact holds."""
    if not fact:
        raise StepFailed(text)
