"""Wrong settings: each is named with its place and the remedy, and never with its value."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from pathlib import Path

import pytest

from configuration import load, report
from countersign.errors import BadSetting

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and none of our variables in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("COUNTERSIGN_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    return tmp_path


def problems() -> list[str]:
    with pytest.raises(BadSetting) as refused:
        load()
    return str(refused.value).splitlines()[1:]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("COUNTERSIGN_SMPT_HOST=mail", "COUNTERSIGN_SMTP_HOST"),
        ("countersign_imap_hots=mail", "COUNTERSIGN_IMAP_HOST"),
        ("COUNTERSGIN_MAIL_RULE=dkim", "COUNTERSIGN_MAIL_RULE"),
        ("TEMPORAL_ADRESS=127.0.0.1:7233", "TEMPORAL_ADDRESS"),
        ("COUNTERSIGN_TEMPORAL_NAMESPACE=other", "TEMPORAL_NAMESPACE"),
        ("TEMPORAL_API_KEY=key", "COUNTERSIGN_TEMPORAL_API_KEY"),
        ("SMTP_HOST=mail", "COUNTERSIGN_SMTP_HOST"),
    ],
)
def test_a_misspelt_line_of_the_file_is_refused_with_what_was_meant(folder: Path, line: str, meant: str) -> None:
    (folder / ".env").write_text(f"# ours\n{line}\n")
    [said] = problems()
    assert f"in {folder / '.env'}" in said
    assert said.endswith(f"did you mean {meant}?")


def test_what_is_like_no_setting_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_COLOUR", "blue")
    [said] = problems()
    assert said.startswith("  COUNTERSIGN_COLOUR (in the environment) is no setting: remove it")


def test_a_misspelt_variable_is_refused_and_those_of_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "COUNTERSIGN_TOKEN": "cs_1",
        "COUNTERSIGN_URL": "https://access.example.com",
        "COUNTERSIGN_SANDBOX_SMTP_PORT": "8025",
        "TEMPORAL_API_KEY": "of the command line tool",
        "TEMPORAL_CLI_ADDRESS": "127.0.0.1:7233",
        "COUNTERSIGN_SERVICE_HOST": "10.0.0.1",
        "COUNTERSIGN_PORT": "tcp://10.0.0.1:80",
        "COUNTERSIGN_PORT_80_TCP_ADDR": "10.0.0.1",
        "TEMPORAL_NAMESPASE": "other",
    }.items():
        monkeypatch.setenv(name, value)
    assert problems() == ["  TEMPORAL_NAMESPASE (in the environment) is no setting: did you mean TEMPORAL_NAMESPACE?"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("COUNTERSIGN_PORTAL_PORT", SECRET, "must be a whole number"),
        ("COUNTERSIGN_PORTAL_PORT", "70000", "must be 65535 or less"),
        ("COUNTERSIGN_SMTP_CONNECTIONS", "0", "must be 1 or more"),
        ("COUNTERSIGN_SMTP_PORT", "", "it is empty: write a value, or leave the line out"),
        ("COUNTERSIGN_SMTP_PORT", '"587"', "it has quotes around it: write it without"),
        ("COUNTERSIGN_TEMPORAL_TLS", SECRET, "must be true or false"),
        ("COUNTERSIGN_TLS_PROXIES", SECRET, "must be IP addresses or networks with commas between"),
        ("COUNTERSIGN_TLS_PROXIES", "10.0.0.1/24", "must be IP addresses or networks with commas between"),
        ("COUNTERSIGN_TLS_PROXIES", "10.0.0.1, 0.0.0.0/0", "must not hold every address"),
        ("COUNTERSIGN_SLACK_MODE", SECRET, "must be off, socket or http"),
        ("TEMPORAL_ADDRESS", "https://127.0.0.1:7233", "must be HOST:PORT"),
        ("TEMPORAL_ADDRESS", "temporal", "must be HOST:PORT"),
        ("COUNTERSIGN_DATABASE_URL", f"mysql://me:{SECRET}@db/x", "must be for SQLite or PostgreSQL"),
        ("COUNTERSIGN_DATABASE_URL", f"postgresql://me:{SECRET}@1@db:x/x", "in a password write @ as %40"),
        ("COUNTERSIGN_DATABASE_URL", f"postgresql://me:{SECRET}@db/x?sslmode=require", "(sslmode)"),
        ("COUNTERSIGN_DATABASE_URL", "sqlite://", "must name a file"),
        ("COUNTERSIGN_DATABASE_URL", "sqlite:///:memory:", "must name a file"),
        ("COUNTERSIGN_DATABASE_URL", "", "it is empty"),
    ],
)
def test_a_wrong_value_is_told_by_what_it_must_be_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    [said] = problems()
    assert said.startswith(f"  {name} (in the environment) ")
    assert message in said
    assert SECRET not in said
    assert "pydantic" not in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COUNTERSIGN_INSTANCE_NAME", "a\nb"),
        ("COUNTERSIGN_INSTANCE_NAME", "x" * 61),
        ("COUNTERSIGN_PUBLIC_URL", "javascript:alert(1)"),
        ("COUNTERSIGN_PUBLIC_URL", "https://x.example/|"),
    ],
)
def test_what_every_message_shows_is_checked_at_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    [problem] = problems()
    assert problem.strip().startswith(f"{name} (in the environment) ")


def test_all_mistakes_are_told_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("COUNTERSIGN_SMTP_PORT=x\nCOUNTERSIGN_IMAP_PROT=y\n")
    monkeypatch.setenv("COUNTERSIGN_IMAP_PORT", "z")
    assert len(problems()) == 3


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("postgres://me:pw@db.example.com/x", "postgresql+pg8000://me:pw@db.example.com/x"),
        ("postgresql://me:pw@db:6432/x", "postgresql+pg8000://me:pw@db:6432/x"),
        ("postgresql+psycopg2://me@db/x", "postgresql+pg8000://me@db/x"),
        ("postgresql+asyncpg://me:p%40w@db/x", "postgresql+pg8000://me:p%40w@db/x"),
        ("postgresql+pg8000://me@db/x?application_name=a", "postgresql+pg8000://me@db/x?application_name=a"),
        ("sqlite:///here.db", "sqlite:///here.db"),
        ("sqlite+aiosqlite:///here.db", "sqlite:///here.db"),
    ],
)
def test_the_url_of_another_driver_is_taken_for_ours(monkeypatch: pytest.MonkeyPatch, given: str, taken: str) -> None:
    monkeypatch.setenv("COUNTERSIGN_DATABASE_URL", given)
    assert load().database_url == taken


@pytest.mark.parametrize("broken", [b"COUNTERSIGN_SMTP_HOST=\xff\n", None])
def test_a_file_that_can_not_be_read_is_named(folder: Path, broken: bytes | None) -> None:
    if broken is None:
        (folder / ".env").mkdir()
    else:
        (folder / ".env").write_bytes(broken)
    with pytest.raises(BadSetting, match="can't be read") as refused:
        load()
    assert str(folder / ".env") in str(refused.value)


@pytest.mark.parametrize(
    ("mode", "line", "warned"),
    [
        (0o600, "COUNTERSIGN_SMTP_PASSWORD=x", False),
        (0o640, "COUNTERSIGN_SMTP_PASSWORD=x", True),
        (0o604, "COUNTERSIGN_DATABASE_URL=sqlite:///a.db", False),
        (0o604, "COUNTERSIGN_DATABASE_URL=postgresql://me:x@db/a", True),
        (0o644, "COUNTERSIGN_INSTANCE_NAME=x", False),
    ],
)
def test_a_file_with_secrets_that_others_can_read_is_warned_about(
    folder: Path, caplog: pytest.LogCaptureFixture, mode: int, line: str, warned: bool
) -> None:
    file = folder / ".env"
    file.write_text(line)
    file.chmod(mode)
    with caplog.at_level(logging.INFO):
        report()
    assert str(file) in caplog.messages[0]
    assert [one.levelname for one in caplog.records] == (["INFO", "WARNING"] if warned else ["INFO"])


def test_without_a_file_it_is_said_where_one_would_be(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        report()
    assert caplog.messages == [f"from the environment alone; there is no {folder / '.env'}"]


def test_how_long_something_is_kept_is_a_duration_and_a_number_alone_means_days(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COUNTERSIGN_KEEP_MAILS_DAYS", "36h")
    monkeypatch.setenv("COUNTERSIGN_KEEP_SIGNALS_DAYS", "90")
    settings = load()
    assert (settings.keep_mails_days, settings.keep_signals_days) == (timedelta(hours=36), timedelta(days=90))
    monkeypatch.setenv("COUNTERSIGN_KEEP_MAILS_DAYS", "1.5 years")
    [said] = problems()
    assert "COUNTERSIGN_KEEP_MAILS_DAYS (in the environment) must be a duration such as 90s, 15m, 36h or 2d" in said
    assert "1.5" not in said
