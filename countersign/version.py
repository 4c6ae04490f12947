"""Which version this is, and how every command line shows its help."""

from importlib.metadata import version as installed_version
from typing import Annotated

import typer

# The options of every command line that show the help.
HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}


def version() -> str:
    """The installed version, such as `0.1.0`."""
    return installed_version("countersign")


def print_version(wanted: bool) -> None:
    """What `--version` does: print the version and end."""
    if wanted:
        typer.echo(f"countersign {version()}")
        raise typer.Exit


# The option of every command line: `version: VersionOption = False`.
VersionOption = Annotated[
    bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit.")
]
