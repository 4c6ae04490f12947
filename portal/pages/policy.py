"""The policy in the browser, for admins: its text and versions, what differs, an editor, the plan of a new text."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, NamedTuple

from fastapi import BackgroundTasks, Form, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import BadPolicy, BadQuestion, Refused
from countersign.kinds.connection import CONNECTION, ConnectionQuestion, Protocol
from countersign.models import LONGEST_ID
from countersign.policy_difference import DifferentLine
from countersign.policy_file import LARGEST_FILE_BYTES
from countersign.question import read_of
from countersign.who_approves import WhoApproves
from portal import policies
from portal.api.devices import approvers_of
from portal.api.policy import LARGEST_VERSION, Version
from portal.auth import Caller, CallerHere
from portal.context import Context, ContextHere
from portal.pages.render import long_page, page
from portal.pages.route import PolicyRoute, page_router
from portal.pages.site import is_own_page

HOME = "/policy"
PER_PAGE = 25
MOST_LINES = 2_000
PLACE = re.compile(r"line (\d+)(?:, column \d+)?: (.*)", re.DOTALL)
LOCKED_OUT = "By this policy you would be no admin any more, and you have not said that you give it up."

Text = Annotated[str, Form(max_length=LARGEST_FILE_BYTES)]
VersionField = Annotated[int, Form(ge=1, le=LARGEST_VERSION)]
Typed = Annotated[str, Query(max_length=LONGEST_ID)]
Back = Annotated[str, Form(max_length=2 * LONGEST_ID)]

router = page_router(PolicyRoute)


class Finding(NamedTuple):
    """A mistake of a policy, and the line of the text that it names; 0 for the whole file."""

    line: int
    text: str
    message: str


@router.get("/policy")
async def show(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    before: Version | None = None,
    requester: Typed = "",
    device: Typed = "",
    protocol: Typed = Protocol.SSH,
) -> Response:
    """The policy in force, its versions, and who would have to approve somebody's request."""
    caller.must_be_admin()
    _, policy = await context.run(context.store.policies.current)
    versions = await context.run(context.store.policies.versions, before, PER_PAGE + 1)
    found, problem = await _who_approves(context, caller, requester, device, protocol)
    return await long_page(
        request,
        "policy",
        current=await policies.version_of(context),
        names=names_of(policy),
        versions=versions[:PER_PAGE],
        next_before=versions[PER_PAGE - 1].version if len(versions) > PER_PAGE else None,
        typed={"requester": requester, "device": device, "protocol": protocol},
        protocols=list(Protocol),
        found=found,
        problem=problem,
    )


@router.get("/policy/versions/{version}")
async def one(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    version: Annotated[int, Path(ge=1, le=LARGEST_VERSION)],
) -> Response:
    """One version, as it was written."""
    caller.must_be_admin()
    shown = await policies.version_of(context, version)
    in_force = await policies.version_of(context)
    [applied] = await context.run(context.store.policies.versions, version + 1, 1)
    _, policy = await context.run(context.store.policies.current)
    return await long_page(
        request, "policy_version", shown=shown, applied=applied, in_force=in_force.version, names=names_of(policy)
    )


@router.get("/policy/difference")
async def difference(
    request: Request, context: ContextHere, caller: CallerHere, old: Version, new: Version
) -> Response:
    """What differs between two versions."""
    caller.must_be_admin()
    found = await policies.compared(
        context, await policies.version_of(context, old), await policies.version_of(context, new)
    )
    return await long_page(request, "policy_difference", difference=found, parts=_first(found.parts))


@router.get("/policy/edit")
async def edit(request: Request, context: ContextHere, caller: CallerHere) -> Response:
    """Where the text is edited."""
    caller.must_be_admin()
    in_force = await policies.version_of(context)
    return _editor(request, in_force.text, in_force.version)


@router.post("/policy/edit")
async def edit_further(request: Request, caller: CallerHere, replaces: VersionField, text: Text) -> Response:
    """Where a text is edited that was planned already."""
    caller.must_be_admin()
    return _editor(request, _as_written(text), replaces)


@router.post("/policy/plan")
async def plan(
    request: Request, context: ContextHere, caller: CallerHere, replaces: VersionField, text: Text
) -> Response:
    """What applying a text would do, to be confirmed; or its mistakes, beside the lines."""
    caller.must_be_admin()
    return await planned(request, context, caller, _as_written(text), replaces)


@router.post("/policy/versions/{version}/roll-back")
async def roll_back(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    version: Annotated[int, Path(ge=1, le=LARGEST_VERSION)],
) -> Response:
    """What applying an earlier version again would do, to be confirmed."""
    caller.must_be_admin()
    return await planned(request, context, caller, (await policies.version_of(context, version)).text)


@router.post("/policy/apply")
async def apply(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    later: BackgroundTasks,
    replaces: VersionField,
    text: Text,
    end_grants: Annotated[bool, Form()] = False,
    give_up_admin: Annotated[bool, Form()] = False,
    back: Back = HOME,
) -> Response:
    """Put a text in force that was planned against a version."""
    caller.must_be_admin()
    text = _as_written(text)
    try:
        await policies.put_in_force(context, caller, text, replaces, end_grants, give_up_admin)
    except BadPolicy as error:
        return _with_mistakes(request, text, replaces, error)
    except Refused as error:
        if error.code == ErrorCode.AUTHOR_LOSES_ADMIN:
            return _editor(request, text, replaces, HTTPStatus.CONFLICT, said=LOCKED_OUT)
        if error.code != ErrorCode.OTHER_POLICY:
            raise
        in_force = await policies.version_of(context)
        if in_force.text != text:  # a form that is sent twice has done what it should
            return await _other_version(request, context, text, replaces)
    later.add_task(policies.enforce, context.engine)
    # One who gave up being an admin may not see the page that they come from.
    return RedirectResponse("/" if give_up_admin else _own(back), HTTPStatus.SEE_OTHER)


async def planned(
    request: Request,
    context: Context,
    caller: Caller,
    text: str,
    replaces: int | None = None,
    back: str = HOME,
) -> Response:
    """The page that says what applying a text would do, with the button that applies it.

    `replaces` is the version that the text was made from: where another is in force, that is told first.
    """
    try:
        found = await policies.planned(context, caller, text, end_grants=False)
    except BadPolicy as error:
        in_force = await policies.version_of(context)
        return _with_mistakes(request, text, replaces or in_force.version, error)
    if replaces not in (None, found.version):
        return await _other_version(request, context, text, replaces)
    old = await policies.version_of(context, found.version)
    new = old.model_copy(update={"version": found.version + 1, "text": text})
    differs = await policies.compared(context, old, new)
    may_end = any(part.kind == "grants_not_given" for part in found.parts)
    _, policy = await context.run(context.store.policies.current)
    return await long_page(
        request,
        "policy_plan",
        plan=found,
        difference=differs,
        parts=_first(differs.parts),
        text=text,
        may_end=may_end,
        back=_own(back),
        names=names_of(policy),
    )


def _editor(
    request: Request,
    text: str,
    replaces: int,
    answer: HTTPStatus = HTTPStatus.OK,
    findings: Sequence[Finding] = (),
    said: str = "",
    compare: tuple[int, int] | None = None,
) -> Response:
    return page(
        request, "policy_edit", answer, text=text, replaces=replaces, findings=findings, said=said, compare=compare
    )


def _with_mistakes(request: Request, text: str, replaces: int, error: BadPolicy) -> Response:
    said = f"{error.headline.capitalize()}. Nothing was changed."
    findings = [_finding(text.split("\n"), problem) for problem in error.problems]
    return _editor(request, text, replaces, HTTPStatus.UNPROCESSABLE_ENTITY, findings, said)


def _finding(lines: Sequence[str], problem: str) -> Finding:
    place = PLACE.fullmatch(problem)
    if place is None or not 0 < (number := int(place[1])) <= len(lines):
        return Finding(0, "", problem)
    return Finding(number, lines[number - 1], place[2])


async def _other_version(request: Request, context: Context, text: str, replaces: int | None) -> Response:
    """The editor, with what somebody else has applied meanwhile."""
    [newest] = await context.run(context.store.policies.versions, None, 1)
    _, policy = await context.run(context.store.policies.current)
    who = names_of(policy).get(newest.applied_by, newest.applied_by)
    said = (
        f"{who} has applied version {newest.version} meanwhile, so nothing was changed. Look at what they changed and "
        "take it over into your text, then look at the plan again."
    )
    compare = (replaces, newest.version) if replaces else None
    return _editor(request, text, newest.version, HTTPStatus.CONFLICT, said=said, compare=compare)


async def _who_approves(
    context: Context, caller: Caller, requester: str, device: str, protocol: str
) -> tuple[WhoApproves | None, str]:
    """Who would have to approve, or what is wrong with the question."""
    if not (requester and device):
        return None, ""
    try:
        asked = {"requester": requester, "device": device, "protocol": protocol}
        question: ConnectionQuestion = read_of(CONNECTION, asked)
    except BadQuestion as error:
        return None, str(error)
    return await approvers_of(context, caller, question), ""


def _first(parts: Sequence[Sequence[DifferentLine]]) -> list[Sequence[DifferentLine]]:
    """As many lines of what differs as anybody reads."""
    found: list[Sequence[DifferentLine]] = []
    room = MOST_LINES
    for part in parts:
        found.append(part[: max(room, 0)])
        room -= len(part)
    return [part for part in found if part]


def _own(back: str) -> str:
    return back if is_own_page(back) else HOME


def names_of(policy: Policy) -> dict[str, str]:
    """Everybody's name, by id."""
    return {person: user.name for person, user in policy.users.items()}


def _as_written(text: str) -> str:
    """The text without what browsers make of the ends of lines in a form (HTML, 4.10.22.4)."""
    return text.replace("\r\n", "\n")
