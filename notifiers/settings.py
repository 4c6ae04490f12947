"""The settings that all channels read; each has a section of its own beside its code."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from countersign.errors import BadSetting
from countersign.remedies import remedy_with_field


def _one_line(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        raise ValueError("must be one line of printable characters, without spaces around it")
    return value


def _web_address(value: str) -> str:
    if value and not re.fullmatch(r"https?://[^\s<>\"'\\|]{1,2000}", value):
        raise ValueError("must be an address such as https://countersign.example.com, or empty")
    return value.rstrip("/")


Name = Annotated[str, Field(max_length=60), AfterValidator(_one_line)]
InstanceName = Annotated[Name, Field(min_length=1)]
WebAddress = Annotated[str, AfterValidator(_web_address)]


class ChannelSettings(BaseModel):
    """What every message names, and where it links to."""

    instance_name: InstanceName = "Countersign"
    public_url: WebAddress = ""


@contextmanager
def wrong_ones_named(which: str) -> Iterator[None]:
    """Raise BadSetting in place of pydantic's error about these settings, without values, which may be secret."""
    try:
        yield
    except ValidationError as error:
        problems = "; ".join(remedy_with_field(one) for one in error.errors(include_input=False))
        raise BadSetting(f"{which}: {problems}.") from None
