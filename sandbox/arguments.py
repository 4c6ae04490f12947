"""What the command lines of the sandbox have in common: `-h`, `--help` and `--version`, and how they find programs."""

import argparse
import sys
from collections.abc import Callable

from countersign.version import version


def parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """The parser of `python -m <module>`. An unknown argument ends the program with 2, before anything starts."""
    options = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    options.add_argument("--version", action="version", version=f"countersign {version()}")
    return options


def print_program(module: str, description: str | None, find: Callable[[], object], missing: type[Exception]) -> None:
    """The command line of a module that finds a program: print where it is, or end with the reason why it isn't."""
    parser(module, description).parse_args()
    try:
        print(find())
    except missing as error:
        sys.exit(str(error))
