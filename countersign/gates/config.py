"""The file that says what a gate service is to do: gate.toml. Every error names the field and the remedy."""

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails

from countersign.durations import duration_parser
from countersign.errors import BadQuestion
from countersign.gates.certificates import SshSection
from countersign.gates.http_relay import HttpSection
from countersign.gates.logins import PamSection
from countersign.gates.private_files import AS_ROOT, read_private
from countersign.gates.protocol import SOCKET
from countersign.gates.rdp import RdpSection
from countersign.gates.warpgate import WarpgateSection
from countersign.http import Api, Remedies
from countersign.models import NO_BOOL, Id, Model
from countersign.question import read_question
from countersign.remedies import remedy

LONGEST_GRACE = timedelta(days=1)
LONGEST_RETRY = timedelta(hours=1)
# More than any gate.toml may hold.
LARGEST_FILE_BYTES = 1024 * 1024
# A host name or an address; never what could be taken for an option of a program.
ADDRESS = r"^[A-Za-z0-9_:\[][A-Za-z0-9_.:%\[\]-]{0,252}$"

INSTALL = "countersign gate install service --write"
EXAMPLES = {"address": '"10.0.0.5"', "listen": '"0.0.0.0:3389"', "portal": '"127.0.0.1:8080"'}
REMEDIES = Remedies("`url` in gate.toml", "put it into the file that `token_file` in gate.toml names")

Port = Annotated[int, NO_BOOL, Field(ge=1, le=65535)]
Grace = Annotated[timedelta, BeforeValidator(duration_parser("seconds", LONGEST_GRACE))]
Retry = Annotated[timedelta, BeforeValidator(duration_parser("seconds", LONGEST_RETRY))]


def _one_protocol_a_port(ports: dict[str, int]) -> dict[str, int]:
    for protocol in ports:
        try:
            read_question({"requester": "anybody", "device": "any", "protocol": protocol})
        except BadQuestion as error:
            raise ValueError(f"holds {protocol[:40]!r}: {str(error).rstrip('.')}") from None
    if len(set(ports.values())) < len(ports):
        raise ValueError(
            "must be a different port for each protocol: on one port a gate can't tell them apart; name only one"
        )
    return ports


class Target(Model):
    """Where a device is reached, and by which protocol at which port."""

    address: Annotated[str, Field(pattern=ADDRESS)]
    ports: Annotated[dict[str, Port], Field(min_length=1), AfterValidator(_one_protocol_a_port)]

    def protocol_at(self, port: int) -> str | None:
        """The protocol whose port this is."""
        return next((protocol for protocol, its in self.ports.items() if its == port), None)


class GateConfig(Model):
    """What gate.toml says."""

    url: str
    token_file: Path
    socket: Path = Path(SOCKET)
    grace: Grace = timedelta(minutes=5)
    retry_within: Retry = timedelta(seconds=60)
    questions_a_minute: Annotated[int, NO_BOOL, Field(ge=0)] = 300
    devices: dict[Id, Target] = {}
    pam: PamSection | None = None
    rdp: RdpSection | None = None
    warpgate: WarpgateSection | None = None
    ssh: SshSection | None = None
    http: HttpSection | None = None


def read_config(file: Path) -> GateConfig:
    """What the file says; BadQuestion names what is wrong in it."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        do = f"`{INSTALL}` writes one to fill in" if isinstance(error, FileNotFoundError) else AS_ROOT
        raise BadQuestion(f"{file} can't be read: {error.strerror}; {do}.") from None
    if len(raw) > LARGEST_FILE_BYTES:
        raise BadQuestion(f"{file} is larger than {LARGEST_FILE_BYTES} bytes; name a smaller file.")
    try:
        return GateConfig.model_validate(tomllib.loads(raw.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadQuestion(f"{file} is not valid TOML: {error}.") from None
    except ValidationError as error:
        problems = [_problem(one) for one in error.errors(include_url=False)[:10]]
        raise BadQuestion(f"{file}: {'; '.join(problems)}.") from None


def _problem(error: ErrorDetails) -> str:
    """What is wrong with a field; if it doesn't match a pattern, with an example that does."""
    example = EXAMPLES.get(str(error["loc"][-1]))
    others = {"string_pattern_mismatch": f"must be as in {example}"} if example else {}
    return f"{'.'.join(map(str, error['loc']))} {remedy(error, others)}"


def read_token(file: Path) -> str:
    """The token in a file that only its owner can read; BadQuestion if others can, or there is none."""
    token = read_private(file, "the gateway's token").decode(errors="replace").strip()
    if not token:
        raise BadQuestion(f"{file} is empty; put the gateway's token there.")
    return token


def portal(config: GateConfig) -> Api:
    """The portal, asked with the gateway's token; BadQuestion if the token or the address can't be valid."""
    return Api(config.url, read_token(config.token_file), remedies=REMEDIES)
