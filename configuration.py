"""How the composition roots read their settings: every mistake is named, with its place and the remedy."""

import logging
import os
import re
import stat
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from countersign.errors import BadSetting
from countersign.remedies import remedy
from settings import ENV_FILE, Settings

PREFIX = "COUNTERSIGN_"
# Variables with our prefix that are read by the command line, the sandbox, `make up` or the tests.
OTHERS = re.compile(r"COUNTERSIGN_(URL|TOKEN|STATE|(SANDBOX|TEST)_\w+)")
# Kubernetes sets these in every container, for each service, whose name they begin with.
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
OF_KUBERNETES = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
KUBERNETES_PORT = re.compile(r"(tcp|udp|sctp)://")
TEMPORAL = "TEMPORAL_"
# How similar a name must be to count as a misspelt setting.
ALIKE = 0.8
VERY_ALIKE = 0.9
PASSWORD_IN_URL = re.compile(r"//[^/@]*:[^/@]*@")
OTHERS_MAY = stat.S_IRWXG | stat.S_IRWXO

log = logging.getLogger("settings")


def load() -> Settings:
    """The settings of this process, from the environment and a `.env` in its folder; the environment wins.

    Raises BadSetting, which names every mistake in a line of its own and holds no value.
    """
    written = _env_file()
    problems = list(_misspelt(written))
    try:
        settings = Settings()
    except ValidationError as error:
        problems += [_problem(one, written) for one in error.errors()]
    if problems:
        raise BadSetting("\n".join(["these settings are wrong:", *(f"  {one}" for one in problems)]))
    return settings


def report() -> None:
    """Log where the settings were read from, and warn if others can read the secrets among them."""
    file = Path(ENV_FILE).absolute()
    if not file.exists():
        log.info("from the environment alone; there is no %s", file)
        return
    log.info("from the environment, then from %s", file)
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & OTHERS_MAY and any(_is_secret(name, value or "") for name, value in _env_file().items()):
        log.warning("others on this machine can read the secrets in %s (mode %03o); `chmod 600 %s`", file, mode, file)


def variables() -> dict[str, str]:
    """The name of every setting, by its environment variable."""
    return {str(field.validation_alias or f"{PREFIX}{name}".upper()): name for name, field in _fields().items()}


def _fields() -> Mapping[str, Any]:
    return Settings.model_fields


def _env_file() -> dict[str, str | None]:
    """The lines of `.env`, by their names in capitals; a name alone, without a `=`, has the value None."""
    file = Path(ENV_FILE)
    try:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not in UTF-8"
        raise BadSetting(f"{file.absolute()} can't be read: {why}.") from None
    lines = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name.upper(): value for name, value in lines.items()}


def _misspelt(written: Mapping[str, str | None]) -> Iterator[str]:
    """Messages about names that are not a setting's, but look as if they were meant for one."""
    environment = {name.upper(): value for name, value in os.environ.items()}
    for name, value in {**written, **environment}.items():
        if name in variables() or _is_of_others(name, value):
            continue
        meant = _meant(name, ALIKE)
        if name in written:
            ours = bool(meant) or name.startswith((PREFIX, TEMPORAL))
        else:
            # Temporal's own tools have variables, too, some of them much like ours.
            ours = name.startswith(PREFIX) or (
                name.startswith(TEMPORAL) and _meant(name, VERY_ALIKE).startswith(TEMPORAL)
            )
        if ours:
            hint = f"did you mean {meant}?" if meant else "remove it; docs/settings.md names all there are"
            yield f"{name} ({_place(name, written)}) is no setting: {hint}"


def _is_of_others(name: str, value: str | None) -> bool:
    if OTHERS.fullmatch(name) or OF_KUBERNETES.fullmatch(name):
        return True
    return name.endswith("_PORT") and bool(KUBERNETES_PORT.match(value or ""))


def _meant(name: str, alike: float) -> str:
    """The setting with the most similar name, without our prefix or else with it; "" if none is similar."""
    bare = {each.removeprefix(PREFIX): each for each in variables()}
    close = get_close_matches(name.removeprefix(PREFIX), bare, 1, alike)
    return bare[close[0]] if close else next(iter(get_close_matches(name, variables(), 1, alike)), "")


def _place(name: str, written: Mapping[str, str | None]) -> str:
    in_environment = any(name == each.upper() for each in os.environ)
    return "in the environment" if in_environment or name not in written else f"in {Path(ENV_FILE).absolute()}"


def _problem(error: ErrorDetails, written: Mapping[str, str | None]) -> str:
    """What is wrong with one setting: its name, its place, what it must be, and the shape of its value."""
    field = str(error["loc"][0])
    variable = next((each for each, name in variables().items() if field in (each, name)), field)
    return f"{variable} ({_place(variable, written)}) {remedy(error)}; {_shape(error.get('input'))}"


def _shape(value: object) -> str:
    """The shape of a value, without its text, which may be a secret in the wrong place."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    if not text:
        return "it is empty: write a value, or leave the line out"
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return "it has quotes around it: write it without"
    if text != text.strip():
        return "it has spaces around it: write it without"
    return f"what stands there has {len(text)} character{'s' * (len(text) > 1)}"


def _is_secret(name: str, value: str) -> bool:
    field = variables().get(name, "")
    if field == "database_url":
        return bool(PASSWORD_IN_URL.search(value))
    return bool(field) and _fields()[field].annotation is SecretStr
