"""What gate.toml may contain, and how a mistake in it is reported."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

from countersign.errors import BadQuestion
from countersign.gates.config import read_config, read_token

HEAD = 'url = "https://access.example.com"\ntoken_file = "/etc/countersign/gate.token"\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "gate.toml"
    file.write_text(text)
    return file


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, f'{HEAD}[devices.DB-1]\naddress = "10.0.0.5"\nports = {{ ssh = 22 }}\n'))
    assert (config.grace, config.retry_within) == (timedelta(minutes=5), timedelta(seconds=60))
    assert config.socket == Path("/run/countersign/gate.sock")
    assert config.devices["db-1"].protocol_at(22) == "ssh"
    assert config.devices["db-1"].protocol_at(23) is None


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("graze = '5m'", "graze is not a field here; remove it"),
        ("grace = '0s'", "grace must be a duration such as"),
        ("retry_within = '2d'", "retry_within must be a duration such as 90s, 15m, 36h or 2d, from 1s to 1h"),
        ("[devices.'../x']\naddress = 'x'\nports = { ssh = 22 }", "is not an id"),
        ("[devices.x]\naddress = '-oProxyCommand=id'\nports = { ssh = 22 }", "devices.x.address must be as in"),
        ("[devices.x]\naddress = 'x'\nports = { ssh = 0 }", "devices.x.ports.ssh must be 1 or more"),
        ("[rdp]\nlisten = '3389'", 'rdp.listen must be as in "0.0.0.0:3389"'),
        ("[devices.x]\naddress = 'x'\nports = { telnet = 23 }", "protocol must be ssh, sftp, rdp or http"),
        ("[devices.x]\naddress = 'x'\nports = { ssh = 22, sftp = 22 }", "a different port for each protocol"),
        ("[devices.x]\naddress = 'x'\nports = {}", "devices.x.ports has too few entries"),
        ("[http]\nproxy_user = 'x'\napplications = { 'https://x' = 'y' }", "is not a host name"),
        ("[http]\nproxy_user = 'x'\napplications = { 'x' = 'y;' }", "is not an id"),
        (
            "[http]\nproxy_user = 'x'\nportal = '127.0.0.1:8080; return 200'",
            'http.portal must be as in "127.0.0.1:8080"',
        ),
        ("[devices", "is not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(BadQuestion, match=re.escape(message)):
        read_config(written(tmp_path, f"{HEAD}{more}\n"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadQuestion, match="countersign gate install service --write"):
        read_config(tmp_path / "gate.toml")


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o602])
def test_a_token_that_others_reach_is_refused_and_not_shown(tmp_path: Path, mode: int) -> None:
    token = tmp_path / "token"
    token.write_text("cs_secret")
    # A group other than root's: systemd's access lists appear as root's group.
    if os.geteuid() == 0:
        os.chown(token, 0, 100)
    token.chmod(mode)
    with pytest.raises(BadQuestion, match="chmod 600") as raised:
        read_token(token)
    assert "cs_secret" not in str(raised.value)
    token.chmod(0o600)
    assert read_token(token) == "cs_secret"
