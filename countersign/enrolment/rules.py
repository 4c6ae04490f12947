"""The enrolment rules of the policy: who may register a device, from where, and by what proof."""

import ipaddress
import operator
from collections.abc import Hashable
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from countersign.enrolment.countries import country_named
from countersign.fields import EMAIL_PATTERN, Described, Email, GrantLength, Name, folded_address, no_repeats
from countersign.models import Id

MOST_RULES = 500
MOST_VALUES = 2_000
LONGEST_URL = 1000
MOST_SHOWN = 5
# The prefix of IPv4 addresses within IPv6.
MAPPED_BITS = 96

Action = Literal["allow", "block", "service_auth", "bypass"]

# The selectors that say who somebody is: evaluated when a device enrols, and unknown for a machine.
IDENTITY = frozenset({"emails", "email_domains", "user_groups", "roles", "claims", "login_methods"})

T = TypeVar("T")
# A list that is left out stays left out of a stored policy, where an empty list would be a mistake.
Values = Annotated[
    list[T],
    Field(min_length=1, max_length=MOST_VALUES, json_schema_extra={"uniqueItems": True}, exclude_if=operator.not_),
    AfterValidator(no_repeats),
]


def _domain(value: str) -> str:
    domain = value.removeprefix("@").lower()
    if not EMAIL_PATTERN.fullmatch(f"somebody@{domain}"):
        raise ValueError(
            f"{value[:40]!r} is not a domain; write what comes after the @ in an address, such as example.org"
        )
    return domain


def _network(value: str) -> str:
    try:
        network = ipaddress.ip_network(value.strip())
    except ValueError as error:
        raise ValueError(f"{str(error)[:80]}; write a network such as 192.0.2.0/24 or 2001:db8::/32") from None
    # IPv4-mapped addresses (RFC 4291, 2.5.5.2) are compared as the IPv4 addresses in them.
    if isinstance(network, ipaddress.IPv6Network) and (inner := network.network_address.ipv4_mapped):
        return f"{inner}/{network.prefixlen - MAPPED_BITS}"
    return str(network)


def _https(value: str) -> str:
    try:
        url = urlsplit(value)
        right = url.scheme == "https" and url.hostname and url.port != 0 and "@" not in url.netloc and not url.fragment
    except ValueError:
        right = False
    if not right or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("must be an address that begins with https://, without a name or password in it")
    return value


Https = Annotated[str, Field(max_length=LONGEST_URL), AfterValidator(_https)]
Folded = Annotated[Name, AfterValidator(str.lower)]


class ExternalEvaluation(Described):
    """An endpoint that is given the facts of an enrolment, and answers a signed yes or no."""

    model_config = ConfigDict(frozen=True)

    url: Https
    """Where the facts are sent, by POST."""
    keys_url: Https
    """Where the endpoint publishes the keys that sign its answers, as a JSON Web Key Set (RFC 7517)."""

    def __str__(self) -> str:
        return self.url


class Selectors(Described):
    """What a part of a rule looks at. Each value of each selector is one condition."""

    emails: Values[Email] = []
    """Mail addresses of people."""
    email_domains: Values[Annotated[str, AfterValidator(_domain)]] = []
    """The part after the @ of somebody's address, such as `example.org`; subdomains are not included."""
    user_groups: Values[Id] = []
    """User groups of the person."""
    roles: Values[Id] = []
    """Roles of the person."""
    claims: dict[Name, Values[Name]] = {}
    """Claims of the identity provider about the person: values by the claim's name."""
    login_methods: Values[Folded] = []
    """How the person signed in, as the gateway names it, in upper or lower case."""
    source_networks: Values[
        Annotated[str, AfterValidator(_network), WithJsonSchema({"type": "string", "examples": ["192.0.2.0/24"]})]
    ] = []
    """Networks that the device connects from."""
    countries: Values[Annotated[str, AfterValidator(country_named)]] = []
    """Countries that the device connects from, by their two letters (ISO 3166-1)."""
    everyone: bool = False
    """True of everybody and everything."""
    service_tokens: Values[Id] = []
    """Service tokens, by id."""
    any_service_token: bool = False
    """True if any valid service token is presented."""
    valid_certificate: bool = False
    """True if a certificate is presented that a trusted authority signed, and that is neither expired nor revoked."""
    common_names: Values[Name] = []
    """Common names of such certificates."""
    external_evaluations: Values[ExternalEvaluation] = []
    """Endpoints that answer a signed yes."""

    @cached_property
    def conditions(self) -> dict[str, frozenset[Any]]:
        """The values by the selectors that are set, as they are compared."""
        found: dict[str, frozenset[Hashable]] = {}
        for name in type(self).model_fields:
            if value := getattr(self, name):
                found[name] = frozenset(self._compared(name, value))
        return found

    def _compared(self, name: str, value: Any) -> Any:
        match name:
            case "emails":
                return map(folded_address, value)
            case "claims":
                return ((claim, one) for claim, values in value.items() for one in values)
            case "source_networks":
                return map(ipaddress.ip_network, value)
        return value if isinstance(value, list) else [value]

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        return "; ".join(selector_text(name, values) for name, values in self.conditions.items())


@lru_cache(maxsize=MOST_RULES)
def selector_text(selector: str, values: frozenset[Any]) -> str:
    """A selector with the first of its values, for people: `countries AT, DE`."""
    if values == {True}:
        return selector
    written = sorted(" = ".join(one) if isinstance(one, tuple) else str(one) for one in values)
    more = len(written) - MOST_SHOWN
    return f"{selector} {', '.join(written[:MOST_SHOWN])}" + (f" and {more} more" if more > 0 else "")


def _names_nothing(selectors: Selectors) -> bool:
    return not selectors.conditions


def _names_something(selectors: Selectors) -> Selectors:
    if _names_nothing(selectors):
        raise ValueError("names nothing; name a selector, such as `user_groups: [staff]`")
    return selectors


SomeSelectors = Annotated[Selectors, AfterValidator(_names_something)]


class EnrolmentRule(Described):
    """One rule for who may register a device. The first that matches decides; if none does, it is refused."""

    name: Name
    """As pages and the record show it; each rule has its own."""
    action: Action
    """`allow` and `block` are for people; `service_auth` lets machines in, `bypass` everybody, and both come first."""
    include: SomeSelectors
    """Any of these has to hold."""
    require: SomeSelectors = Field(default_factory=Selectors, exclude_if=_names_nothing)
    """All of these have to hold, every value."""
    exclude: SomeSelectors = Field(default_factory=Selectors, exclude_if=_names_nothing)
    """None of these may hold."""
    approval_required: bool = False
    """With `allow`: the device waits until somebody approves it."""
    justification: bool = False
    """With `allow`: whoever registers a device has to say why."""
    session: GrantLength | None = None
    """How long a device that enrols by this rule may connect before it registers again; by default for good."""

    @property
    def parts(self) -> dict[str, Selectors]:
        """What it includes, requires and excludes."""
        return {"include": self.include, "require": self.require, "exclude": self.exclude}


def _not_empty(value: object) -> object:
    # Without rules everybody may enrol; a line that was left empty must not mean that.
    if value is None:
        raise ValueError("is empty; list the rules below it, write [] to let nobody enrol, or remove the line")
    return value


_Rules = Annotated[list[EnrolmentRule], Field(max_length=MOST_RULES)]
EnrolmentRules = Annotated[_Rules | None, BeforeValidator(_not_empty)]
