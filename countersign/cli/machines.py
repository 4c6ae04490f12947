"""service-token, provisioning-key: what machines register their devices with."""

from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from rich.text import Text

from countersign.cli.options import AsJson, with_portal
from countersign.cli.output import console, show_json, show_result
from countersign.cli.tables import listing
from countersign.errors import BadQuestion
from countersign.http import Api
from countersign.machines import (
    MOST_DEVICES,
    NewProvisioningKey,
    NewServiceToken,
    ProvisioningKey,
    Rotation,
    ServiceToken,
    ServiceTokenAction,
    ServiceTokenSecret,
)
from countersign.models import Model
from countersign.remedies import remedy_with_field
from countersign.times import moment

ONCE = "Keep it safe: it is shown only now."
M = TypeVar("M", bound=Model)

TokenId = Annotated[str, typer.Argument(metavar="ID", help="The client id, as `service-token list` shows it.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `provisioning-key list` shows it.")]

service_tokens = typer.Typer(no_args_is_help=True, help="Service tokens, with which machines register. Admins only.")
provisioning_keys = typer.Typer(
    no_args_is_help=True, help="Provisioning keys, with which many machines register. Admins only."
)


@service_tokens.command("create")
@with_portal
def create_token(
    api: Api,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for, as lists and the record show it.")],
    lasts: Annotated[str, typer.Option(help="How long it is valid, such as 90d; ten years at most.")] = "365d",
    as_json: AsJson = False,
) -> None:
    """Create a service token, and print its id and secret. The secret is shown only once."""
    wanted = _wanted(NewServiceToken, name=name, lasts=lasts)
    made = api.make_service_token(wanted)
    _show_secret(made, _headers(made), as_json)


@service_tokens.command()
@with_portal
def rotate(
    api: Api,
    token_id: TokenId,
    overlap: Annotated[str, typer.Option(help="How long the previous secret still works, from 1h to 30d.")] = "7d",
    as_json: AsJson = False,
) -> None:
    """Create a new secret, and print it. It is shown only once; the previous one still works for a while."""
    rotation = _wanted(Rotation, overlap=overlap)
    made = api.rotate_service_token(token_id, rotation)
    _show_secret(made, _headers(made), as_json)


@service_tokens.command("list")
@with_portal
def list_tokens(api: Api, as_json: AsJson = False) -> None:
    """List the service tokens that were not revoked, newest first."""
    found = api.service_tokens()
    rows = (
        (one.id, one.name, moment(one.ends_at), moment(one.used_at) if one.used_at else "never", _state(one))
        for one in found
    )
    _show_list(found, ("id", "name", "until", "last used", ""), rows, as_json)


def _changes(action: ServiceTokenAction, does: str) -> None:
    """Add the command that does this."""

    @service_tokens.command(action, help=does)
    @with_portal
    def change(api: Api, token_id: TokenId, as_json: AsJson = False) -> None:
        changed = api.change_service_token(token_id, action)
        state = _state(changed) or f"lasts until {moment(changed.ends_at)}"
        show_result(changed, Text.assemble((changed.name, "bold"), f" ({changed.id}) {state}."), as_json)


_changes("refresh", "Extend a service token to at least one year from now.")
_changes("disable", "Disable a service token: it is refused until it is enabled again.")
_changes("enable", "Enable a disabled service token again.")
_changes("end-previous-secret", "End the previous secret of a rotated service token at once.")
_changes("revoke", "Revoke a service token for good, and the devices that it registered.")


@provisioning_keys.command("create")
@with_portal
def create_key(
    api: Api,
    label: Annotated[str, typer.Argument(metavar="LABEL", help="What it is for, as lists and the record show it.")],
    person: Annotated[str, typer.Option(metavar="PERSON", help="Who the devices will belong to.")],
    devices: Annotated[int, typer.Option(metavar="N", min=1, max=MOST_DEVICES, help="How many may register.")],
    lasts: Annotated[str, typer.Option(help="How long it is valid, such as 12h; a year at most.")] = "7d",
    skips_approval: Annotated[bool, typer.Option("--skips-approval", help="The devices need no approval.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create a provisioning key, and print it alone on standard output. It is shown only once."""
    asked = {"label": label, "person": person, "devices": devices, "lasts": lasts, "skips_approval": skips_approval}
    wanted = _wanted(NewProvisioningKey, **asked)
    made = api.make_provisioning_key(wanted)
    _show_secret(made, made.key, as_json)


@provisioning_keys.command("list")
@with_portal
def list_keys(api: Api, as_json: AsJson = False) -> None:
    """List the provisioning keys that were not ended, newest first."""
    found = api.provisioning_keys()
    rows = (
        (one.id, one.label, one.person, f"{one.used} of {one.devices}", moment(one.ends_at), _skips(one))
        for one in found
    )
    _show_list(found, ("id", "label", "for", "devices", "until", ""), rows, as_json)


@provisioning_keys.command()
@with_portal
def end(api: Api, key_id: KeyId, as_json: AsJson = False) -> None:
    """End a provisioning key for good; the devices that registered with it stay."""
    ended = api.end_provisioning_key(key_id)
    page = Text.assemble((ended.label, "bold"), f" ({ended.id}) has ended; {ended.used} devices had registered.")
    show_result(ended, page, as_json)


def _wanted(shape: type[M], **given: Any) -> M:
    """What was typed; BadQuestion names what is wrong."""
    try:
        return shape(**given)
    except ValidationError as error:
        raise BadQuestion("; ".join(remedy_with_field(one) for one in error.errors())) from None


def _skips(one: ProvisioningKey) -> str:
    return "needs no approval" if one.skips_approval else ""


def _headers(made: ServiceTokenSecret) -> str:
    return f"CF-Access-Client-Id: {made.client_id}\nCF-Access-Client-Secret: {made.client_secret}"


def _show_secret(made: Model, secret: str, as_json: bool) -> None:
    if as_json:
        show_json(made)
        return
    console(stderr=True).print(Text(ONCE))
    print(secret)


def _show_list(found: object, columns: Iterable[str], rows: Iterable[Iterable[str]], as_json: bool) -> None:
    table = listing(*columns)
    for row in rows:
        table.add_row(*map(Text, row))
    show_result(found, table, as_json)


def _state(one: ServiceToken) -> str:
    if one.revoked_at:
        return "was revoked"
    return "is disabled" if one.disabled_at else ""
