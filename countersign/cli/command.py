"""All commands, and how they end: with an answer or an exit code, without a traceback for an expected error."""

import contextlib
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper

import typer
from typer.exceptions import Abort, TyperException

from countersign.cli import (
    account,
    answering,
    asking,
    certificates,
    connecting,
    devices,
    doctor,
    enrolment,
    exits,
    gate,
    login,
    machines,
    own_device,
    policy,
    registered_devices,
    replies,
    watching,
)
from countersign.cli.exits import Code
from countersign.cli.output import show_error
from countersign.errors import BadPolicy, CountersignError
from countersign.version import HELP_OPTIONS, VersionOption

# No tracebacks by Typer: they would show the arguments of a command.
app = typer.Typer(
    name="countersign",
    help="Ask for connections, answer requests, and follow them.",
    epilog="Exit codes: 0 yes, 1 no, 2 bad input, 3 not allowed, 4 unavailable, 5 not found.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=HELP_OPTIONS,
)
app.add_typer(asking.commands)
app.add_typer(connecting.commands)
app.add_typer(devices.commands)
app.add_typer(registered_devices.commands, name="device")
registered_devices.commands.add_typer(own_device.commands)
app.add_typer(watching.commands)
app.add_typer(gate.commands, name="gate")
app.add_typer(answering.commands)
app.add_typer(policy.commands, name="policy")
app.add_typer(enrolment.commands, name="enrolment")
app.add_typer(replies.commands, name="reply")
app.add_typer(certificates.commands, name="certificate-authority")
app.add_typer(machines.service_tokens, name="service-token")
app.add_typer(machines.provisioning_keys, name="provisioning-key")
app.add_typer(login.commands)
app.add_typer(account.commands)
app.add_typer(doctor.commands)


@app.callback()
def options(
    version: VersionOption = False,
) -> None:
    """Ask for connections, answer requests, and follow them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    _never_fail_on_a_character()
    try:
        return app(given, prog_name="countersign", standalone_mode=False) or Code.OK
    except TyperException as error:
        return _wrong_use(error, as_json)
    except BadPolicy as error:
        message = "\n  ".join([f"{error.headline}:", *error.problems])
        return show_error(Code.BAD_INPUT, message, as_json, {**error.details, "problems": error.problems})
    except CountersignError as error:
        return show_error(exits.of_error(error), str(error), as_json, error.details)
    except (KeyboardInterrupt, Abort):
        return Code.INTERRUPTED
    except Exception:
        traceback.print_exc()
        return Code.FAULT


def _wrong_use(error: TyperException, as_json: bool) -> Code:
    message = " ".join(error.format_message().replace("Value error, ", "").split())
    if not message:  # it was the help, which is printed already
        return Code.BAD_INPUT
    context: typer.Context | None = getattr(error, "ctx", None)
    called = context.command_path if context else "countersign"
    return show_error(Code.BAD_INPUT, f"{message.rstrip('.')}. See `{called} --help`.", as_json)


def _never_fail_on_a_character() -> None:
    """Have a terminal without ✓ show a ? in its place."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            with contextlib.suppress(ValueError):
                stream.reconfigure(errors="replace")
