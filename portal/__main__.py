"""`python -m portal`: the portal's composition root, and the commands with which operators work on the database.

Exit codes: 0 done, 1 it could not be done, 2 an argument or a setting is wrong.
"""

import asyncio
import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import logs
from configuration import load, report
from countersign.cli.files import content
from countersign.cli.plan_page import confirmed, page
from countersign.console import console, show
from countersign.durations import duration_parser
from countersign.errors import NOT_IN_POLICY, BadPolicy, BadQuestion, BadSetting, CountersignError, NotFound, Refused
from countersign.kinds.connection import ConnectionProtocol
from countersign.kinds.device import DEVICE
from countersign.machines import LONGEST_LABEL
from countersign.policy import plan as policy_plan
from countersign.remedies import remedy, remedy_with_field
from countersign.times import moment
from countersign.version import HELP_OPTIONS, VersionOption
from engine.credentials.tokens import TokenActions
from engine.planning import Planning, all_of
from engine.policy import ReadPolicy, put_in_force
from garbage import collect_seldom
from settings import Settings
from store import Store
from store.database_errors import for_operators, is_lasting
from store.tokens import Owner

# Only `serve` and `sign-in-link` import the web server and the channels, so that the other commands start fast.
if TYPE_CHECKING:
    from countersign.client import Client
    from notifiers.base import Channel
    from portal.context import Plan
    from portal.oidc import Provider
    from portal.pages.site import Site

# The record names whoever worked directly on the database by this, and by their account on that machine.
LOCAL = "operator"
NO_PROVIDER = "COUNTERSIGN_OIDC_ISSUER needs {}, too; or leave it out, and people sign in by mail alone."
NO_LINKS = "Set COUNTERSIGN_PUBLIC_URL, where browsers reach the portal, and a mail server (COUNTERSIGN_SMTP_HOST)."
FOR_WHOM = (
    "Say for whom: --person NAME [--admin]; or --gateway NAME, and --device or --device-group with --protocol, or "
    "--registers-devices."
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    context_settings=HELP_OPTIONS,
    # Pretty exceptions would show a command's arguments.
    pretty_exceptions_enable=False,
    help="Run Countersign's pages and HTTP API, and manage tokens, sign-in links and the policy.",
)
token_app = typer.Typer(no_args_is_help=True, help="API tokens: each belongs to one person or one gateway.")
policy_app = typer.Typer(no_args_is_help=True, help="Apply the first policy, or one if no admin is left who can.")
app.add_typer(token_app, name="token")
app.add_typer(policy_app, name="policy")
messages = Console(stderr=True, highlight=False)


@app.callback()
def options(
    version: VersionOption = False,
) -> None:
    """Run Countersign's pages and HTTP API, and manage tokens, sign-in links and the policy."""


@app.command()
def serve() -> None:
    """Serve the pages and the API until Ctrl-C."""
    from countersign.client.library import log_through_python
    from portal.app import create_app
    from portal.server import Server

    with _failures_as_messages():
        settings = load()
        logs.set_up(settings.log_level, settings.log_format)
        log_through_python()
        report()
        asyncio.run(_until_database_is_up(settings))
        server = Server(
            create_app(plan(settings)),
            settings.portal_host,
            settings.portal_port,
            settings.portal_connections,
            settings.tls_networks,
        )
        collect_seldom()
        server.run()


@token_app.command()
def create(
    person: Annotated[str, typer.Option(help="The person it is for.")] = "",
    admin: Annotated[bool, typer.Option("--admin", help="Make it an admin's, whatever the policy says.")] = False,
    gateway: Annotated[str, typer.Option(help="The name of the gateway it is for.")] = "",
    device: Annotated[list[str] | None, typer.Option(help="A device the gateway asks for; may be repeated.")] = None,
    device_group: Annotated[list[str] | None, typer.Option(help="A device group it asks for; may be repeated.")] = None,
    protocol: Annotated[
        list[ConnectionProtocol] | None,
        typer.Option(case_sensitive=False, help="A protocol it asks for; may be repeated."),
    ] = None,
    registers_devices: Annotated[
        bool, typer.Option("--registers-devices", help="The gateway registers the devices that people connect with.")
    ] = False,
    lasts: Annotated[str, typer.Option(help="How long, such as 12h or 90d (default: until it is ended).")] = "",
    label: Annotated[str, typer.Option(help="What it is for, as lists show it.")] = "",
) -> None:
    """Create a token, and print it alone on standard output. It is shown only once."""
    with _failures_as_messages(), _store() as store:
        by_scope = bool((device or device_group) and protocol)
        if person and not (gateway or device or device_group or protocol or registers_devices):
            owner = _owner(kind="person", name=person, is_admin=admin)
        elif gateway and (by_scope or registers_devices) and not (person or admin):
            variants = [*(protocol or []), *([DEVICE.name] if registers_devices else [])]
            of_scope = {"targets": device or [], "target_groups": device_group or [], "variants": variants}
            owner = _owner(kind="gateway", name=gateway, **of_scope)
        else:
            raise BadQuestion(FOR_WHOM)
        _must_be_known(store, owner)
        made = TokenActions(store).create(owner, _operator(), _duration(lasts), label[:LONGEST_LABEL])
        messages.print(f"A token for {owner.kind} {escape(owner.name)}. Keep it safe: it is shown only now.")
        typer.echo(made)


@token_app.command("list")
def list_(limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many at most.")] = 50) -> None:
    """List the newest tokens, without their secrets. Expired ones are listed for a month."""
    table = Table("id", "for", "may", "label", "since", "used", "ends", "ended")
    with _failures_as_messages(), _store() as store:
        found = store.tokens.newest(limit + 1)
        for one in found[:limit]:
            times = (one.created_at, one.used_at, one.ends_at, one.ended_at)
            about = (one.id, f"{one.owner.kind} {one.owner.name}", _may(one.owner), escape(one.label))
            table.add_row(*about, *(moment(at) if at else "" for at in times))
    show(table)
    if len(found) > limit:
        messages.print(f"These are the newest {limit} tokens; --limit shows more.")


@token_app.command()
def end(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token's id, as `token list` shows it.")],
) -> None:
    """End a token for good; it is refused from now on."""
    with _failures_as_messages(), _store() as store:
        ended = TokenActions(store).end(token_id, _operator())
        messages.print(f"Token {ended.id} of {ended.owner.kind} {escape(ended.owner.name)} has ended.")


@app.command("sign-in-link")
def sign_in_link(person: Annotated[str, typer.Argument(help="Who will sign in with it.")]) -> None:
    """Create a link with which a person who gets no mail can sign in once, in any browser, within 15 minutes."""
    from engine.credentials.sign_in import SignIn
    from notifiers import channels

    with _failures_as_messages(), _store() as store:
        settings = load()
        site = site_of(settings, channels(settings))
        if not site.links:
            raise BadSetting(NO_LINKS)
        typer.echo(site.link(SignIn(store).make_link(person, _operator())))


@policy_app.command("apply")
def apply_policy(
    file: Annotated[Path, typer.Argument(help="The policy and directory, as YAML.")],
    end_grants: Annotated[
        bool, typer.Option("--end-grants", help="Also end the grants that this policy would not give.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Apply it without asking, whatever it takes away.")] = False,
) -> None:
    """Put a policy in force, or name all its mistakes. If it takes something away, you are asked first.

    The worker applies it to open requests and grants as soon as it runs.
    """
    with _failures_as_messages(), _store() as store:
        read = ReadPolicy.of(content(file))
        planning = Planning(store)
        version, old = planning.in_force()
        held, waiting = list(all_of(planning.active_grants)), list(all_of(planning.waiting))
        planned = policy_plan.plan(version, old, read.policy, waiting, held, end_grants)
        if old is not None:
            show(page(planned, end_grants), console(stderr=True))
        if planned.takes_away and not yes and not confirmed(planned):
            raise typer.Exit(1)
        end = policy_plan.to_end(read.policy, held) if end_grants else []
        applied = put_in_force(store, read, _operator(), version, end)
        messages.print(f"Policy version {applied} is in force.")


@policy_app.command("show")
def show_policy(
    version: Annotated[int | None, typer.Argument(metavar="VERSION", min=1, help="An earlier version.")] = None,
) -> None:
    """Print the policy in force, or an earlier version, as it was written."""
    with _failures_as_messages(), _store() as store:
        found, text = store.policies.text(version)
        messages.print(f"version {found}")
        typer.echo(text.rstrip("\n"))


def plan(settings: Settings) -> "Plan":
    """How to open the portal with these settings."""
    from countersign.client import Client
    from engine.devices.country_file import CountryFile
    from notifiers import channels
    from portal.connections import most_connections
    from portal.context import Plan

    async def connect() -> "Client":
        # Lazily: the portal answers what it can while Temporal is away.
        return await Client.connect(**settings.temporal, lazy=True)

    found = channels(settings)
    site, countries = site_of(settings, found), CountryFile(settings.country_file)
    return Plan(
        settings.database_url,
        connect,
        {kind: explainer for one in found for kind, explainer in one.explainers.items()},
        {one.name: one.listener for one in found if one.listener},
        [
            *(check for one in found for check in one.checks),
            *(site.provider.checks() if site.provider else ()),
            *countries.checks(),
        ],
        site=site,
        previews={one.name: one.preview for one in found if one.preview},
        countries=countries,
        calls_in_all=most_connections(settings.portal_connections) * 3 // 4,
        refusals_an_hour=settings.refusals_an_hour,
        calls_a_minute=settings.calls_a_minute,
        tls_proxies=settings.tls_networks,
        service_token_header=settings.service_token_header,
        http_valid=settings.http_valid_seconds,
    )


def site_of(settings: Settings, found: "Sequence[Channel]") -> "Site":
    """What the pages know about the installation."""
    from portal.pages.site import Site

    public_url = settings.public_url.rstrip("/")
    provider = provider_of(settings, public_url)
    links = {one.name: one.sign_in_links for one in found if one.sign_in_links}
    return Site(settings.instance_name, public_url, links, provider, settings.rdp_gate)


def provider_of(settings: Settings, public_url: str) -> "Provider | None":
    """The provider that people sign in with; None if none is set. Raises BadSetting."""
    from portal.oidc import Provider, encrypted

    if not settings.oidc_issuer:
        return None
    needed = {"COUNTERSIGN_OIDC_CLIENT_ID": settings.oidc_client_id, "COUNTERSIGN_PUBLIC_URL": public_url}
    if missing := [name for name, value in needed.items() if not value]:
        raise BadSetting(NO_PROVIDER.format(" and ".join(missing)))
    try:
        encrypted(settings.oidc_issuer)
    except ValueError as error:
        raise BadSetting(f"COUNTERSIGN_OIDC_ISSUER {error}.") from None
    return Provider(
        settings.oidc_issuer,
        settings.oidc_client_id,
        settings.oidc_client_secret,
        settings.oidc_scopes,
        settings.oidc_name,
        public_url,
    )


def _owner(**fields: Any) -> Owner:
    """The owner of the new token. Raises BadQuestion, which names the wrong option."""
    try:
        return Owner(**fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0])
        option = {"name": fields["kind"], "targets": "device", "target_groups": "device-group"}.get(field, field)
        raise BadQuestion(f"--{option}: {remedy(first)}.") from None


def _duration(lasts: str) -> timedelta | None:
    try:
        return duration_parser("days")(lasts) if lasts else None
    except ValueError as error:
        raise BadQuestion(f"--lasts {error}.") from None


def _must_be_known(store: Store, owner: Owner) -> None:
    """Refuse a misspelt name, as its token would be useless; before the first policy, any name is accepted."""
    try:
        _, policy = store.policies.current()
    except Refused:
        return
    if owner.kind == "person" and not policy.enabled(owner.name):
        raise BadQuestion(NOT_IN_POLICY.format(owner.name))
    if unknown := [name for name in owner.target_groups if name not in policy.device_groups]:
        raise BadQuestion(
            f"{unknown[0]} is not a device group of the policy; it has {', '.join(policy.device_groups)}."
        )
    if unknown := [name for name in owner.targets if policy.group_with(name) is None]:
        raise BadQuestion(f"{unknown[0]} is in no device group of the policy; add it, and apply it first.")


def _may(owner: Owner) -> str:
    if owner.kind == "person":
        return "all, as admin" if owner.is_admin else "what the person may"
    over = [one for one in owner.variants if one != DEVICE.name]
    asks = f"ask for {', '.join([*owner.targets, *owner.target_groups])} over {', '.join(over)}" if over else ""
    return ", ".join(filter(None, [asks, "register devices" if DEVICE.name in owner.variants else ""]))


def _operator() -> str:
    try:
        return f"{LOCAL}:{getpass.getuser()}"
    except (KeyError, OSError):  # an account without a name, as in a container
        return LOCAL


async def _until_database_is_up(settings: Settings) -> None:
    (await Store.open_when_up(settings.database_url)).close()


@contextmanager
def _store() -> Iterator[Store]:
    store = Store(load().database_url)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _failures_as_messages() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:  # an option whose value can't be right
        raise _end("; ".join(remedy_with_field(one) for one in error.errors()), 2) from None
    except CountersignError as error:
        wrong = isinstance(error, BadQuestion | BadPolicy | BadSetting | NotFound) or is_lasting(error)
        raise _end(for_operators(error), 2 if wrong else 1) from None


def _end(what: str, code: int) -> typer.Exit:
    messages.print(escape(what), style="red", soft_wrap=True)
    return typer.Exit(code)


if __name__ == "__main__":
    app()
