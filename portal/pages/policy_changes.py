"""Changing the policy in the browser, for admins: an editor, the plan of a new text, and a button that applies it."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Literal, NamedTuple

from fastapi import BackgroundTasks, Form, Path, Request, Response

from countersign.error_codes import ErrorCode
from countersign.errors import BadPolicy, Refused
from countersign.models import LONGEST_ID
from countersign.policy.edit import PolicyEdit
from countersign.policy.file import LARGEST_FILE_BYTES
from portal import policies
from portal.api.policy import LARGEST_VERSION
from portal.auth import Caller, CallerHere
from portal.context import Context, ContextHere
from portal.pages.policy import first_lines, names_of
from portal.pages.render import long_page, page, redirect_to
from portal.pages.route import PolicyRoute, admin_router
from portal.pages.site import is_own_page

HOME = "/policy"
PLACE = re.compile(r"line (\d+)(?:, column \d+)?: (.*)", re.DOTALL)
LOCKED_OUT = "With this policy you would no longer be an admin, and you have not said that you give it up."
# What a form sends for a switch.
SWITCHES = {"true": True, "false": False}

Text = Annotated[str, Form(max_length=LARGEST_FILE_BYTES)]
VersionField = Annotated[int, Form(ge=1, le=LARGEST_VERSION)]
Back = Annotated[str, Form(max_length=2 * LONGEST_ID)]

router = admin_router(PolicyRoute)


class Finding(NamedTuple):
    """A mistake of a policy, and the line of the text that it names; 0 for the whole file."""

    line: int
    text: str
    message: str


@router.get("/policy/edit")
async def edit(request: Request, context: ContextHere) -> Response:
    """Where the text is edited."""
    in_force = await policies.version_of(context)
    return _editor(request, in_force.text, in_force.version)


@router.post("/policy/edit")
async def edit_further(request: Request, replaces: VersionField, text: Text) -> Response:
    """Where a text is edited that was planned already."""
    return _editor(request, _as_written(text), replaces)


@router.post("/policy/plan")
async def plan(
    request: Request, context: ContextHere, caller: CallerHere, replaces: VersionField, text: Text
) -> Response:
    """What applying a text would do, to be confirmed; or its mistakes, beside the lines."""
    return await _planned(request, context, caller, _as_written(text), replaces)


@router.post("/policy/versions/{version}/roll-back")
async def roll_back(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    version: Annotated[int, Path(ge=1, le=LARGEST_VERSION)],
) -> Response:
    """What applying an earlier version again would do, to be confirmed."""
    return await _planned(request, context, caller, (await policies.version_of(context, version)).text)


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
        if in_force.text != text:  # else the form was sent twice, and is applied already
            return await _other_version(request, context, text, replaces)
    later.add_task(policies.enforce, context.engine)
    # Somebody who gave up being an admin may not see the page that they come from.
    return redirect_to("/" if give_up_admin else _own(back))


@router.post("/policy/change")
async def change(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    action: Annotated[Literal["set", "add", "remove"], Form()],
    path: Annotated[list[str], Form(min_length=1, max_length=3)],
    value: Annotated[str, Form(max_length=LONGEST_ID)] = "",
    back: Back = HOME,
) -> Response:
    """The plan of one change of the policy in force, to be confirmed; an empty value leaves a field out."""
    wanted: bool | str | None = value.strip() or None
    if action == "set":
        wanted = SWITCHES.get(value, wanted)
    elif wanted is None:
        raise Refused("Nobody was named; write an id.")
    new = await policies.changed(context, PolicyEdit(path=path, action=action, value=wanted))
    return await _planned(request, context, caller, new.text, new.version, back)


async def _planned(
    request: Request,
    context: Context,
    caller: Caller,
    text: str,
    replaces: int | None = None,
    back: str = HOME,
) -> Response:
    """The page that says what applying a text would do, with the button that applies it.

    `replaces` is the version that the text was made from; if another is in force, the editor is shown, which says so.
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
        parts=first_lines(differs.parts),
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


def _own(back: str) -> str:
    return back if is_own_page(back) else HOME


def _as_written(text: str) -> str:
    """The text with its own line ends, which browsers change in a form (HTML, 4.10.22.4)."""
    return text.replace("\r\n", "\n")
