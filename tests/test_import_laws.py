"""What import-linter can't see: files it would skip, and what the single-file modules import."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import FunctionType

import grimp
import pytest
from alembic.script import ScriptDirectory

from store import Store
from store.alembic_migrations import config
from store.database import only_reads

ROOT = Path(__file__).parent.parent
# Alembic loads these by path: they aren't a package, and the linter doesn't see them.
MIGRATIONS = ROOT / "store" / "migrations"
NAMES_A_CHANNEL = re.compile(r"notifiers\.(email|slack)|[\"'](email|slack)[\"']|mailbox(?!_unread)")
# These don't mean a channel. A person's address in the policy file, and a claim of OpenID Connect, are called "email".
# Tables, rows, their models and the ledger of mails call an inbox "mailbox".
NAME_ONE_ALL_THE_SAME = {
    "countersign/notifications.py",
    "countersign/policy/check.py",
    "countersign/policy/repair.py",
    "engine/alerts.py",
    "portal/oidc.py",
    "store/inboxes.py",
    "store/tables.py",
}


def checked_packages() -> list[str]:
    laws = configparser.ConfigParser()
    laws.read(ROOT / ".importlinter")
    return laws["importlinter"]["root_packages"].split()


def imported_by(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", checked_packages())
def test_the_laws_see_every_file(package: str) -> None:
    # The linter silently skips a folder without __init__.py inside a package.
    files = [path for path in (ROOT / package).rglob("*.py") if not path.is_relative_to(MIGRATIONS)]
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files}
    assert modules <= grimp.build_graph(package, cache_dir=None).modules


def test_every_package_is_under_the_laws() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/*.py")} - {"tests"}
    assert folders == set(checked_packages())


@pytest.mark.parametrize("file", ["settings.py", "configuration.py", "logs.py", "garbage.py"])
def test_settings_and_logs_import_the_domain_at_most(file: str) -> None:
    ours = {*checked_packages(), "worker"} - {"countersign"}
    sections = {"notifiers"} if file == "settings.py" else set()  # each channel brings its own
    assert imported_by(ROOT / file) & ours == sections


def test_no_channel_is_named_outside_its_folder_and_the_list() -> None:
    """The policy file may name them too, as a program without the channels has to check a policy."""
    others = {
        "worker.py",
        "worker_checks.py",
        "settings.py",
        *(name for name in checked_packages() if name not in {"sandbox", "benchmarks"}),
    }
    files = [path for name in others for path in ([ROOT / name] if "." in name else (ROOT / name).rglob("*.py"))]
    own = [ROOT / "notifiers", MIGRATIONS, ROOT / "countersign" / "directory.py", ROOT / "countersign" / "models.py"]
    named = {
        path for path in files if NAMES_A_CHANNEL.search(path.read_text()) and not any(map(path.is_relative_to, own))
    }
    assert {path.relative_to(ROOT).as_posix() for path in named} == NAME_ONE_ALL_THE_SAME


def test_migrations_import_the_store_at_most() -> None:
    ours = {*checked_packages(), "settings", "worker"} - {"store"}
    scripts = list(MIGRATIONS.rglob("*.py"))
    assert scripts
    assert not [path for path in scripts if imported_by(path) & ours]


def test_workflows_are_loaded_without_a_database() -> None:
    """Each sandboxed workflow would load it again; the engine, which uses it, is imported for types only."""
    load = "import sys, workflows.connection, workflows.grant, workflows.background; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", load], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "activities.requests" in told.stdout.split()
    assert not {"sqlalchemy", "store", "engine"} & set(told.stdout.split())


def test_the_engine_leaves_statements_to_the_store() -> None:
    for path in (ROOT / "engine").rglob("*.py"):
        imports = [one for one in ast.walk(ast.parse(path.read_text())) if isinstance(one, ast.ImportFrom)]
        names = {name.name for one in imports if one.module == "sqlalchemy" for name in one.names}
        assert names <= {"Connection", "Row"}, path


def test_no_package_imports_the_worker() -> None:
    """Tests may: they run what `python worker.py` runs, in their own process."""
    files = [path for package in checked_packages() for path in (ROOT / package).rglob("*.py")]
    assert files
    assert not [path for path in files if {"worker", "worker_checks"} & imported_by(path)]


def _names_in(function: object) -> tuple[str, ...]:
    return function.__code__.co_names if isinstance(function, FunctionType) else ()


# The stored answers to repeated calls belong to the portal. Whether the database can be written is found by trying.
WRITTEN_BY_THE_PORTAL = {"idempotency", "try_to_write"}


def test_the_portal_only_reads_the_store_and_has_the_engine_write(sqlite_url: str) -> None:
    """If a whole part of the store is passed on, none of its methods may write."""
    files = [path.read_text() for path in (ROOT / "portal").rglob("*.py")]
    lines = [line for file in files for line in file.splitlines() if not line.startswith(("from ", "import "))]
    used = set(re.findall(r"\bstore\.([a-z_]+)(?:\.([a-z_]+))?", "\n".join(lines)))
    writing = set()
    with closing(Store(sqlite_url)) as store:
        for part, method in used:
            of = getattr(store, part)
            passed_on = [name for name, own in vars(type(of)).items() if "transaction" in _names_in(own)]
            writing |= {part for name in ([method] if method else passed_on) if not only_reads(getattr(of, name))}
    assert writing - WRITTEN_BY_THE_PORTAL - {"database", "close"} == set()
    assert not [line for line in lines if ".transaction()" in line]


# The fields of a connection, as code or a template would name them.
OF_A_CONNECTION = re.compile(r"(question|subject|fields)\S{0,2}\.(device|protocol)\b|\[\"(device|protocol)\"\]")
# Files that may name them: Slack's /connect and its form ask for connections, and a connection has templates of its
# own. The question about a device that people connect with has a field `device`, too.
ITS_OWN = re.compile(
    r"countersign/kinds/\w+\.py|engine/devices/decisions\.py|notifiers/slack/inbound/connect_\w+\.py"
    r"|templates/\w+/subject/connection\.j2"
)


def test_only_its_kind_and_its_templates_know_what_a_connection_is_made_of() -> None:
    folders = ("countersign", "engine", "workflows", "activities", "notifiers", "templates", "store", "portal")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".j2"}]
    named = {path.relative_to(ROOT).as_posix() for path in files if OF_A_CONNECTION.search(path.read_text())}
    assert {name for name in named if ITS_OWN.fullmatch(name)} == {
        "countersign/kinds/device.py",
        "countersign/kinds/routes.py",
        "engine/devices/decisions.py",
        "notifiers/slack/inbound/connect_command.py",
        "templates/email/subject/connection.j2",
        "templates/pages/subject/connection.j2",
        "templates/slack/subject/connection.j2",
    }
    assert {name for name in named if not ITS_OWN.fullmatch(name)} == set()


def test_no_pattern_repeats_a_group_possessively() -> None:
    """Before Python 3.11.5 the re module matched that wrongly: https://github.com/python/cpython/issues/106052."""
    possessive = re.compile(r"\)(?:[*+?]|\{\d*,?\d*\})\+|\(\?>")
    files = [path for package in checked_packages() for path in (ROOT / package).rglob("*.py")]
    assert [path for path in files if possessive.search(path.read_text())] == []


def test_each_migration_follows_one_other() -> None:
    assert len(ScriptDirectory.from_config(config()).get_heads()) == 1
