"""What every command line of the sandbox takes beside its own options: `-h`, `--help` and `--version`."""

import argparse

from countersign.version import version


def parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """The parser of `python -m <module>`. What it does not know ends the program with 2, before anything starts."""
    options = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    options.add_argument("--version", action="version", version=f"countersign {version()}")
    return options
