"""policy check, apply, show: the policy file, here and in the portal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from countersign import policy_file
from countersign.cli import files
from countersign.cli.options import DEFAULT_URL, AsJson, Token, Url, connect
from countersign.cli.output import console, show, show_json
from countersign.directory import Policy

PolicyFile = Annotated[Path, typer.Argument(metavar="FILE", help="The policy, in YAML; - reads standard input.")]

commands = typer.Typer(no_args_is_help=True, help="Check, apply and show the policy.")


@commands.command()
def check(file: PolicyFile, as_json: AsJson = False) -> None:
    """Check a policy file here, without the portal: every mistake, with its line and what to write instead."""
    counts = _counts(policy_file.load(files.content(file)))
    if as_json:
        show_json({"problems": [], **counts})
    else:
        said = ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in counts.items())
        show(Text.assemble(("Right: ", "bold green"), said, "."))


@commands.command()
def apply(file: PolicyFile, url: Url = DEFAULT_URL, token: Token = "", as_json: AsJson = False) -> None:
    """Check a policy file, then put it in force as a new version, all or nothing. Admins only."""
    text = policy_file.text_of(files.content(file))
    policy_file.load(text)
    with connect(url, token) as api:
        version = api.apply_policy(text)
    if as_json:
        show_json({"version": version})
    else:
        show(Text.assemble(("Applied", "bold green"), f" as version {version}."))


@commands.command("show")
def show_(url: Url = DEFAULT_URL, token: Token = "", as_json: AsJson = False) -> None:
    """Print the policy that is in force, as it was written."""
    with connect(url, token) as api:
        policy = api.policy()
    if as_json:
        show_json(policy)
        return
    # Beside the file, so that `policy show > policy.yaml` is the file alone.
    console(stderr=True).print(Text(f"version {policy.version}", style="bright_black"))
    print(policy.text.rstrip("\n"))


def _counts(policy: Policy) -> dict[str, int]:
    return {
        "users": len(policy.users),
        "user_groups": len(policy.user_groups),
        "device_groups": len(policy.device_groups),
        "devices": sum(len(group.devices) for group in policy.device_groups.values()),
        "approval_workflows": len(policy.approval_workflows),
    }
