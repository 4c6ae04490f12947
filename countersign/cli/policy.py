"""policy check, apply, show, list, diff, roll-back: the policy file, here and in the portal."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.text import Text

from countersign.cli import files, times
from countersign.cli.exits import Code
from countersign.cli.options import AsJson, with_portal
from countersign.cli.output import console, show, show_json, show_result
from countersign.cli.tables import listing
from countersign.http import Api
from countersign.policy.difference import difference, unified

if TYPE_CHECKING:
    from countersign.directory import Policy

PolicyFile = Annotated[Path, typer.Argument(metavar="FILE", help="The policy, in YAML; - reads standard input.")]
Version = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="A version, as `policy list` shows it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what it would change.")]
EndGrants = Annotated[bool, typer.Option("--end-grants", help="Also end the grants that this policy would not give.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Apply it without asking, whatever it takes away.")]

commands = typer.Typer(no_args_is_help=True, help="Check, apply and show the policy.")


@commands.command()
def check(file: PolicyFile, as_json: AsJson = False) -> None:
    """Check a policy file without the portal: name every mistake, with its line and what to write instead.

    Also warns of what is allowed, but surely not intended.
    """
    # Other commands need not load what reads a policy.
    from countersign.policy import file as policy_file

    policy, document = policy_file.load_with_places(files.content(file))
    counts, warnings = _counts(policy), policy_file.warnings(policy, document)
    counted = ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in counts.items())
    right = Text.assemble(("Right: ", "bold green"), counted, ".")
    warned = [Text(f"Warning: {warning}", "yellow") for warning in warnings]
    show_result({"problems": [], "warnings": warnings, **counts}, Group(*warned, right), as_json)


@commands.command()
@with_portal
def apply(
    api: Api,
    file: PolicyFile,
    dry_run: DryRun = False,
    end_grants: EndGrants = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Show what a policy file changes, then put it in force as a new version, all or nothing. Admins only.

    If it takes something away, you are asked first.
    """
    from countersign.policy import file as policy_file

    text = policy_file.text_of(files.content(file))
    policy_file.load(text)
    _apply(api, text, dry_run=dry_run, end_grants=end_grants, yes=yes, as_json=as_json)


@commands.command("roll-back")
@with_portal
def roll_back(
    api: Api,
    version: Version,
    dry_run: DryRun = False,
    end_grants: EndGrants = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put an earlier version in force again, as a new one. Shows and asks as `policy apply` does. Admins only."""
    text = api.policy(version).text
    _apply(api, text, dry_run=dry_run, end_grants=end_grants, yes=yes, as_json=as_json)


@commands.command("show")
@with_portal
def show_(
    api: Api,
    version: Annotated[int | None, typer.Argument(metavar="VERSION", min=1, help="An earlier version.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the policy in force, or an earlier version, as it was written. Admins only."""
    policy = api.policy(version)
    if as_json:
        show_json(policy)
        return
    # On standard error, so that `policy show > policy.yaml` writes only the file.
    console(stderr=True).print(Text(f"version {policy.version}", style="bright_black"))
    print(policy.text.rstrip("\n"))


@commands.command("list")
@with_portal
def list_(
    api: Api,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the versions of the policy, who applied each and when, the newest first. Admins only."""
    versions = api.policy_versions(limit=limit)
    table = listing("version", "applied", "by", "")
    for n, one in enumerate(versions):
        when = times.clock(one.applied_at, times.now(), zone=True)
        table.add_row(str(one.version), when, one.applied_by, "in force" if n == 0 else "")
    show_result(versions, table, as_json)


@commands.command()
@with_portal
def diff(
    api: Api,
    old: Version,
    new: Annotated[
        int | None, typer.Argument(metavar="VERSION", min=1, help="The other version (default: the one in force).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what differs between two versions of the policy, as `diff -u` does. Admins only."""
    before, after = api.policy(old), api.policy(new)
    names = f"version {before.version}", f"version {after.version}"
    lines = unified(difference(before.text, after.text), *names)
    if as_json:
        show_json({"old": before.version, "new": after.version, "diff": lines})
        return
    print("\n".join(lines), end="\n" if lines else "")


def _apply(api: Api, text: str, *, dry_run: bool, end_grants: bool, yes: bool, as_json: bool) -> None:
    from countersign.cli.plan_page import confirmed, page

    plan = api.plan_policy(text, end_grants)
    if not as_json:
        show(page(plan, end_grants))
    if dry_run:
        if as_json:
            show_json({"plan": plan})
        return
    if plan.takes_away and not yes and not confirmed(plan):
        raise typer.Exit(Code.NO)
    version = api.apply_policy(text, plan.version, end_grants, give_up_admin=plan.author_loses_admin)
    applied = Text.assemble(("Applied", "bold green"), f" as version {version}.")
    show_result({"version": version, "plan": plan}, applied, as_json)


def _counts(policy: "Policy") -> dict[str, int]:
    return {
        "users": len(policy.users),
        "user_groups": len(policy.user_groups),
        "device_groups": len(policy.device_groups),
        "devices": sum(len(group.devices) for group in policy.device_groups.values()),
        "approval_workflows": len(policy.approval_workflows),
    } | ({} if policy.enrolment is None else {"enrolment_rules": len(policy.enrolment)})
