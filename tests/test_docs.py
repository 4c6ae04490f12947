"""The docs and files are right: settings and links in the docs, pins in the lock, no path of anybody's machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from countersign.gates.ssh import WAIT_VARIABLE
from settings import Settings
from tests.commands import COMMAND_LINES, commands

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LOCK_LINE = re.compile(
    r"""
    [A-Za-z0-9._-]+==[A-Za-z0-9._+!-]+ (\ ;\ [^:/]+)? \ \\   # a pin, perhaps for some Pythons or systems only
    | \ {4}--hash=sha256:[0-9a-f]{64} (\ \\)?
    | (\ {4})? \# [^:/]* :?                                  # why it is here
    |
    """,
    re.VERBOSE,
)
ARCHITECTURE = [ROOT / "docs" / "architecture.md", ROOT / "docs" / "recovery.md"]
NAMES_A_PATH = re.compile(r"[\w*-]+(/[\w.*-]+)*(/|\.(py|md|toml|json))")
TEST_VARIABLE = r"\"(COUNTERSIGN_TEST_[A-Z_]+)\""
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:root|work|home|Users)/\S*")


def variables() -> set[str]:
    """The environment variable of every setting."""
    prefix = Settings.model_config["env_prefix"]
    return {str(field.validation_alias or f"{prefix}{name}".upper()) for name, field in Settings.model_fields.items()}


def tokens(page: Path) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").parse(page.read_text()):
        yield token
        yield from token.children or []


def links(page: Path) -> list[str]:
    """The targets of the page's links and pictures, on other sites and here."""
    return [str(token.attrs.get("href", token.attrs.get("src", ""))) for token in tokens(page) if token.attrs]


def anchors(page: Path) -> set[str]:
    """The anchors of the page's headings, as GitHub makes them."""
    every = list(tokens(page))
    headings = [after.content for token, after in pairwise(every) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout: what is tracked is not known")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / name for name in done.stdout.split("\0") if name]
    return [file for file in files if file.is_file()]


@pytest.mark.parametrize("variable", sorted(variables()))
def test_every_setting_is_documented(variable: str) -> None:
    assert f"`{variable}`" in (ROOT / "docs" / "settings.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_setting_that_is_none(page: Path) -> None:
    named = set(re.findall(r"\bCOUNTERSIGN_[A-Z_]+[A-Z]\b", page.read_text()))
    of_commands = {name for called in COMMAND_LINES for command in commands(called) for name in command.variables}
    of_tests = {name for file in ROOT.glob("tests/**/*.py") for name in re.findall(TEST_VARIABLE, file.read_text())}
    assert named <= variables() | of_commands | of_tests | {WAIT_VARIABLE}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path) if path else page
        assert target.resolve().is_relative_to(ROOT), f"{link} leads out of the project"
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_has_anybody_install_what_has_our_name_from_a_registry(page: Path) -> None:
    """The `countersign` there is somebody else's."""
    assert not re.findall(r"pip install\b.*[\s'\"](countersign(?:\[[\w,]+\])?)(?![\w/*-])", page.read_text())


def paths_in(page: Path) -> list[tuple[str, str]]:
    """Each file and folder that a page names, with the folder that its table row is about, if any."""
    found = []
    for line in page.read_text().splitlines():
        names = re.findall(r"`([^`]+)`", line)
        folder = names[0] if line.startswith("| `") and names[0].endswith("/") else ""
        found += [(folder, name) for name in names if NAMES_A_PATH.fullmatch(name)]
    return found


@pytest.mark.parametrize("page", ARCHITECTURE, ids=lambda page: page.name)
def test_architecture_names_only_files_and_folders_that_exist(page: Path) -> None:
    files = [file.relative_to(ROOT) for file in tracked_files()]
    places = {*(file.as_posix() for file in files), *(f"{one.as_posix()}/" for file in files for one in file.parents)}

    def exists(folder: str, name: str) -> bool:
        """Whether it is at the root or in its row's folder; outside such rows it may be anywhere."""
        patterns = {name, f"{folder}{name}"} if folder else {name, f"*/{name}"}
        return any(fnmatchcase(place, pattern) for place in places for pattern in patterns)

    assert paths_in(page)
    assert [name for folder, name in paths_in(page) if not exists(folder, name)] == []


def test_architecture_names_each_module_of_the_engine_the_workflows_and_the_activities() -> None:
    named = {Path(name).name for _, name in paths_in(ROOT / "docs" / "architecture.md")}
    folders = ("engine", "workflows", "activities")
    modules = [file for file in tracked_files() if file.relative_to(ROOT).parts[0] in folders and file.suffix == ".py"]
    assert [file.name for file in modules if file.name not in {*named, "__init__.py"}] == []


def test_every_page_can_be_found_from_the_readme() -> None:
    seen, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        seen.add(page)
        local = (page.parent / unquote(link).partition("#")[0] for link in links(page) if ":" not in link)
        ahead += [found for found in map(Path.resolve, local) if found.suffix == ".md" and found not in seen]
    assert set(PAGES) <= seen


def test_the_lock_holds_pins_and_hashes_and_nothing_of_the_machine_that_made_it() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not LOCK_LINE.fullmatch(line)] == []


def test_the_lock_follows_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [Requirement(each) for each in sum(project["optional-dependencies"].values(), project["dependencies"])]
    pinned = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    versions = {canonicalize_name(name): version for name, version in pinned}
    missing = [
        str(each) for each in wanted if not each.specifier.contains(versions.get(canonicalize_name(each.name), ""))
    ]
    assert missing == [], "run `make lock`"


def test_no_tracked_file_names_a_path_of_somebodys_machine() -> None:
    found = [
        f"{file.relative_to(ROOT)}: {match[0]}"
        for file in tracked_files()
        for match in MACHINE_PATH.finditer(file.read_text(errors="replace"))
    ]
    assert found == []
