"""The files of languages hold what the reader knows of each, in one form."""

import tomllib
from pathlib import Path

import pytest

from notifiers.email.grammar.lexicon import CODES, LANGUAGES, OPTIONAL, REQUIRED

FILES = sorted(LANGUAGES.glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_language_is_one_file_of_known_tables(path: Path) -> None:
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    assert tables.keys() >= REQUIRED
    assert tables.keys() <= REQUIRED | OPTIONAL
    for name, phrases in tables.items():
        assert isinstance(phrases, list)
        assert all(isinstance(each, str) and each == each.strip() != "" for each in phrases), name
        assert len(set(phrases)) == len(phrases), name
        assert all(each.count("{") == each.count("}") for each in phrases), name
    assert all(tables[name] for name in REQUIRED)


def test_all_languages_are_in_use_by_default_and_explained() -> None:
    assert len(CODES) == len(FILES) == 12
    explained = (LANGUAGES / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in explained for name in REQUIRED | OPTIONAL)
