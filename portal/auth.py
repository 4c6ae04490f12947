"""Finds out who calls, a person or a gateway, by token or session, before any of the body is read."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Literal

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import Refused
from countersign.machines import ProvisioningKey, ServiceToken
from countersign.models import Question, Scope
from countersign.permissions import (
    CONFIRMED_FOR,
    Principal,
    must_be_admin,
    must_be_person,
    principal,
    visible_to,
    why_not_ask,
)
from countersign.times import moment
from countersign.visibility import Visibility
from portal.api.problems import NoToken
from store import Store
from store.database import reads
from store.tokens import FORM, Token

REMEDY = (
    "people make one on the page Tokens or by `countersign login`, an operator with `python -m portal token create`"
)
NEVER = datetime.max.replace(tzinfo=UTC)
# For the API's description only: `TokenRoute` checks the token.
BEARER = HTTPBearer(
    scheme_name="token", auto_error=False, bearerFormat="cs_<id>_<secret>", description=f"A token: {REMEDY}."
)


@dataclass(frozen=True)
class Credential:
    """What proved who calls: an API token, a browser's session, or a machine's credential. Their ids never coincide."""

    kind: Literal["token", "session", "service_token", "provisioning_key"]
    id: str

    @property
    def proof(self) -> dict[str, str]:
        """The proof of who called, for the record."""
        return {self.kind: self.id}


@dataclass(frozen=True)
class Caller:
    """Who calls, according to their credential and the policy in force.

    `machine` is the credential that a machine called with. `shown_name` is a person's name, `ends_at` the end of their
    session, and `confirmed_at` when they last proved who they are.
    """

    credential: Credential
    principal: Principal
    machine: ServiceToken | ProvisioningKey | None = None
    shown_name: str = ""
    ends_at: datetime = NEVER
    confirmed_at: datetime | None = None

    @property
    def proof(self) -> dict[str, str]:
        """The proof of who called, with when they last proved who they are."""
        confirmed = {"confirmed_at": moment(self.confirmed_at)} if self.confirmed_at else {}
        return self.credential.proof | confirmed

    @cached_property
    def visibility(self) -> Visibility:
        """What they may see."""
        return visible_to(self.principal)

    @property
    def is_admin(self) -> bool:
        """Whether it is an admin."""
        return self.principal.admin

    @property
    def is_person(self) -> bool:
        """Whether it is a person."""
        return self.principal.is_person

    @property
    def name(self) -> str:
        """The name in the record: a person's id, or one that no person has, such as `gateway:<name>`."""
        return self.principal.name

    @property
    def has_confirmed(self) -> bool:
        """Whether it is somebody in a browser who has just proven who they are."""
        return self.confirmed_at is not None and datetime.now(UTC) - self.confirmed_at <= CONFIRMED_FOR

    def must_be_person(self) -> str:
        """The person's id; NotAllowed for a gateway or machine."""
        must_be_person(self.principal)
        return self.name

    def must_be_admin(self) -> str:
        """The admin's id; NotAllowed for others."""
        must_be_admin(self.principal)
        return self.name

    def must_be_allowed(self, question: Question) -> None:
        """Raise NotAllowed if this caller may not ask this question."""
        if why := why_not_ask(self.principal, question):
            raise why


def presented_id(authorization: str) -> str:
    """The id of the token in a header, valid or not; empty if it does not look like a token."""
    form = FORM.fullmatch(authorization.partition(" ")[2].strip())
    return form["id"] if form else ""


@reads
def caller(store: Store, authorization: str) -> Caller:
    """Who calls, according to the Authorization header. Raises NoToken, which says what is wrong with it."""
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise NoToken(f"This needs a token: send `Authorization: Bearer cs_...`; {REMEDY}.")
    token = store.tokens.find(text.strip())
    if token is None:
        raise invalid(f"This token is unknown or has ended; {REMEDY}.")
    if token.owner.kind == "gateway":
        return of_gateway(token, store.policies.current()[1])
    who = person_now(store, token.owner.name, token.owner.is_admin)
    if not who.enabled:
        raise invalid(f"{who.name} is disabled or not in the directory, so this token opens nothing.")
    return Caller(Credential("token", token.id), who)


@reads
def person_now(store: Store, name: str, appointed: bool) -> Principal:
    """A person according to the policy in force; also an admin if their token appoints them.

    Raises Refused while no policy is in force, except for somebody appointed: they may apply the first one.
    """
    try:
        _, policy = store.policies.current()
    except Refused:
        if not appointed:
            raise
        return Principal(name, admin=True, appointed=True)
    return principal(policy, name, appointed)


@reads
def by_session(store: Store, cookie: str) -> Caller | None:
    """The caller with this session cookie; None if it is unknown or over, or its person is disabled. Raises Refused."""
    session = store.sessions.find(cookie, datetime.now(UTC))
    if session is None:
        return None
    _, policy = store.policies.current()
    who = principal(policy, session.person)
    if not who.enabled:
        return None
    name = policy.users[who.name].name or who.name
    return Caller(
        Credential("session", session.id),
        who,
        shown_name=name,
        ends_at=session.ends_at,
        confirmed_at=session.confirmed_at,
    )


def of_gateway(token: Token, policy: Policy) -> Caller:
    """The gateway that owns this token, with the scope that this policy gives it."""
    owner = token.owner
    groups = (policy.device_groups[name].devices for name in owner.target_groups if name in policy.device_groups)
    scope = Scope(targets=frozenset(owner.targets).union(*groups), variants=frozenset(owner.variants))
    return Caller(Credential("token", token.id), Principal(owner.principal, scope=scope))


def invalid(message: str) -> NoToken:
    """The error for a credential that proves nothing (RFC 6750, section 3.1)."""
    return NoToken(message, ErrorCode.INVALID_TOKEN, ', error="invalid_token"')


def _here(request: Request) -> Caller:
    found: Caller = request.state.caller
    return found


CallerHere = Annotated[Caller, Depends(_here)]
