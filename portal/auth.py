"""Who calls: the person or the gateway a token belongs to, known before anything of the body is read."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer

from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import CountersignError, NotAllowed, Refused, message_of
from countersign.models import GATEWAY, Question
from countersign.permissions import Principal, principal, why_not_ask
from portal.problems import problem
from store import Store
from store.database import reads
from store.tokens import FORM, Token
from store.visibility import Visibility

REMEDY = "an admin makes one with `python -m portal token create`"
# For the API's description only: `TokenRoute` checks the token.
BEARER = HTTPBearer(
    scheme_name="token", auto_error=False, bearerFormat="cs_<id>_<secret>", description=f"A token: {REMEDY}."
)


class NoToken(CountersignError):
    """There is no valid token, so nothing else is read."""

    code = ErrorCode.NO_TOKEN

    def __init__(self, message: str, code: str = "", challenge: str = "") -> None:
        super().__init__(message, code)
        self.challenge = f'Bearer realm="countersign"{challenge}'


@dataclass(frozen=True)
class Caller:
    """Who calls, by the token and the policy in force."""

    token: Token
    is_admin: bool
    visibility: Visibility

    @property
    def is_person(self) -> bool:
        """Whether it is a person's token."""
        return self.token.owner.kind == "person"

    @property
    def name(self) -> str:
        """The name in the record: a person's id, or `gateway:<name>`, which is no person's id."""
        owner = self.token.owner
        return owner.name if self.is_person else f"{GATEWAY}{owner.name}"

    def must_be_person(self) -> str:
        """The person's id; NotAllowed for a gateway."""
        if not self.is_person:
            raise NotAllowed("A gateway's token asks and reads; this is for a person's.", ErrorCode.PERSON_ONLY)
        return self.token.owner.name

    def must_be_admin(self) -> str:
        """The admin's id; NotAllowed for others."""
        if not self.is_admin:
            raise NotAllowed("Only an admin may do this.", ErrorCode.ADMIN_ONLY)
        return self.token.owner.name

    def must_be_allowed(self, question: Question) -> None:
        """NotAllowed where this token may not ask this question."""
        seen = self.visibility
        who = Principal(self.name, admin=self.is_admin, devices=seen.devices, protocols=seen.protocols)
        if why := why_not_ask(who, question):
            raise why


def presented_id(authorization: str) -> str:
    """The id of the token in a header, valid or not; empty where it does not look like one."""
    form = FORM.fullmatch(authorization.partition(" ")[2].strip())
    return form["id"] if form else ""


@reads
def caller(store: Store, authorization: str) -> Caller:
    """Who calls, by the Authorization header; NoToken says what is wrong with it."""
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise NoToken(f"This needs a token: send `Authorization: Bearer cs_...`; {REMEDY}.")
    token = store.tokens.find(text.strip())
    if token is None:
        raise _invalid(f"This token is unknown or has ended; {REMEDY}.")
    try:
        _, policy = store.policies.current()
    except Refused:
        if not token.owner.is_admin:
            raise
        return Caller(token, is_admin=True, visibility=Visibility(everything=True))  # who may apply the first policy
    return _by_policy(token, policy)


def _by_policy(token: Token, policy: Policy) -> Caller:
    owner = token.owner
    if owner.kind == "gateway":
        groups = (policy.device_groups[name].devices for name in owner.device_groups if name in policy.device_groups)
        devices = frozenset(owner.devices).union(*groups)
        return Caller(
            token, is_admin=False, visibility=Visibility(devices=devices, protocols=frozenset(owner.protocols))
        )
    if not policy.enabled(owner.name):
        raise _invalid(f"{owner.name} is disabled or not in the directory, so this token opens nothing.")
    is_admin = principal(policy, owner.name, owner.is_admin).admin
    return Caller(token, is_admin, Visibility(everything=is_admin, person=owner.name))


def _invalid(message: str) -> NoToken:
    # RFC 6750, section 3.1.
    return NoToken(message, ErrorCode.INVALID_TOKEN, ', error="invalid_token"')


async def _challenge(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, NoToken)
    return problem(HTTPStatus.UNAUTHORIZED, error.code, message_of(error), {"WWW-Authenticate": error.challenge})


def add_handler(app: FastAPI) -> None:
    """Answer a missing or bad token with 401."""
    app.add_exception_handler(NoToken, _challenge)


def _here(request: Request) -> Caller:
    found: Caller = request.state.caller
    return found


CallerHere = Annotated[Caller, Depends(_here)]
