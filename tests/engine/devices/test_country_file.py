"""The country of an address, from files in all the forms that these have: also replaced, broken or missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.devices.country_file import CountryFile
from tests.engine.country_file import written


def test_a_country_is_known_by_its_address_in_each_form_of_record(tmp_path: Path) -> None:
    records = {
        "192.0.2.0/24": "DE",
        "198.51.100.0/24": {"country": "at"},
        "203.0.113.0/24": {"country_code": "CH"},
        "2001:db8::/32": "FR",
        "10.0.0.0/8": {"country": {"names": {}}},
        "11.0.0.0/8": {"continent": {"code": "EU"}},
        "172.16.0.0/12": "XX",
        "2001:dead::/32": ["DE"],
    }
    file = CountryFile(str(written(tmp_path / "countries.mmdb", records)))
    known = {
        "192.0.2.1": "DE",
        "198.51.100.7": "AT",
        "203.0.113.9": "CH",
        "2001:db8::1": "FR",
        "2001:db8::1%eth0": "FR",
        "2001:dead::1": "",
        "172.16.0.1": "",
        "10.0.0.1": "",
        "11.0.0.1": "",
        "127.0.0.1": "",
        "": "",
    }
    assert {address: file.country_of(address) for address in known} == known


def test_a_file_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    path = written(tmp_path / "countries.mmdb", {"192.0.2.0/24": "DE"})
    file = CountryFile(str(path))
    assert file.country_of("192.0.2.1") == "DE"
    os.replace(written(tmp_path / "new.mmdb", {"192.0.2.0/24": "AT"}), path)
    assert file.country_of("192.0.2.1") == "AT"


@pytest.mark.parametrize("content", [None, b"", b"no such file", b"\xab\xcd\xefMaxMind.com\xff"])
async def test_what_can_not_be_read_knows_no_country_and_doctor_says_so(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "countries.mmdb"
    if content is not None:
        path.write_bytes(content)
    file = CountryFile(str(path))
    assert file.country_of("192.0.2.1") == ""
    [check] = file.checks()
    [finding] = await check.run(None)
    assert (finding.state, finding.about) == ("problem", "country file")
    assert "put a country file (.mmdb) there" in finding.message


def test_without_a_file_no_country_is_known_and_nothing_checked() -> None:
    assert CountryFile().country_of("192.0.2.1") == ""
    assert CountryFile().checks() == []
