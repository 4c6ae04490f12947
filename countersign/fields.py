"""The types of the fields of the policy document, and what each value is checked for."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from countersign.certificates import HostName
from countersign.durations import AS_MINUTES, Length
from countersign.fingerprints import LABELS
from countersign.models import LONGEST_GRANT, ChannelUse, Id, Model, canonical_id, without_controls

T = TypeVar("T")

LONGEST_WAIT = timedelta(days=90)
LONGEST_NAME = 200
SMALLEST_NETWORK = 29
LONGEST_CHANNEL_NAME = 32
# RFC 5321, 4.5.3.1.3: a path is at most 256 characters with its angle brackets.
LONGEST_EMAIL = 254
# An address that needs no quoting in any header: we write it into To and compare it with From.
EMAIL_PATTERN = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


def _email(value: str) -> str:
    if not EMAIL_PATTERN.fullmatch(value) or len(value) > LONGEST_EMAIL:
        raise ValueError(f"{value[:40]!r} is not a mail address; write name@example.org in ASCII, nothing around it")
    return value


def folded_address(address: str) -> str:
    """A mail address as we compare it, whatever its case.

    Only ASCII is folded, and the directory holds nothing else: folding all of Unicode would turn a long s, or the
    Kelvin sign, into a letter of somebody else's address.
    """
    return address.lower() if address.isascii() else address


def _one_line(value: str) -> str:
    if value != without_controls(value) or not value.isprintable() or not value:
        raise ValueError("must be one line of text, without control characters or space around it")
    return value


def _first_repeat(ids: Iterable[T]) -> T | None:
    return next((one for one, times in Counter(ids).items() if times > 1), None)


def no_repeats(values: list[T]) -> list[T]:
    """The values; ValueError if one is there twice."""
    if repeated := _first_repeat(values):
        raise ValueError(f"{repeated} stands here twice; remove one")
    return values


def _no_twins(value: object) -> object:
    """Ids are folded to lower case, so `Grace` and `grace` would silently become one."""
    if isinstance(value, Mapping) and (twin := _first_repeat(str(key).strip().lower() for key in value)):
        raise ValueError(f"{twin} stands here twice, in different letters; remove one")
    return value


def _network(value: object) -> object:
    try:
        network = IPv4Network(str(value))
    except ValueError:
        raise ValueError(f"{str(value)[:40]!r} is not an IPv4 network; write one such as 10.64.0.0/16") from None
    if network.prefixlen > SMALLEST_NETWORK:
        raise ValueError(f"{network} has too few addresses; write /{SMALLEST_NETWORK} or a larger network")
    return str(network)


Network = Annotated[str, BeforeValidator(_network)]
ById = Annotated[dict[Id, T], BeforeValidator(_no_twins)]
Ids = Annotated[list[Id], AfterValidator(no_repeats), Field(json_schema_extra={"uniqueItems": True})]
Email = Annotated[str, Field(max_length=LONGEST_EMAIL), AfterValidator(_email)]
if TYPE_CHECKING:
    Watched = str
else:  # All of a fingerprint but the serial number: another one means another device.
    Watched = Literal[tuple(name for name in LABELS if name != "serial")]
# Host names, folded to lower case.
Applications = Annotated[dict[HostName, Id], BeforeValidator(_no_twins)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_one_line)]
ChannelName = Annotated[str, Field(max_length=LONGEST_CHANNEL_NAME), AfterValidator(canonical_id)]
Channels = Annotated[dict[ChannelName, ChannelUse], BeforeValidator(_no_twins)]
Room = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,80}$")]
Rooms = Annotated[dict[ChannelName, Room], BeforeValidator(_no_twins)]
# A number alone means minutes, as it always did.
Wait = Annotated[timedelta, AS_MINUTES, Length("minutes", LONGEST_WAIT)]
GrantLength = Annotated[timedelta, AS_MINUTES, Length("minutes", LONGEST_GRANT)]


class Described(Model):
    """Base of the models of the policy file: editors show the docstring below each field.

    `countersign.policy.schema` reads these.
    """
