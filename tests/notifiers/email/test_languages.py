"""The language files hold what the reader knows of each language, all in one form."""

import tomllib
from pathlib import Path

import pytest

from countersign.errors import BadSetting
from notifiers.email.grammar.lexicon import CODES, LANGUAGES
from notifiers.email.read_settings import languages
from notifiers.email.reply import KnownNames, read_reply
from notifiers.email.settings import EmailSettings

REQUIRED = frozenset({"approve", "reject", "explicit", "undo", "greetings", "thanks", "closings", "below"})
OPTIONAL = frozenset({
    "approve_orders", "reject_orders", "before_no", "mere_no", "no_reject", "ambiguous", "bare_verbs", "please", "own",
    "by", "with_answer", "sorry", "agrees", "titles", "honorifics", "and", "below_in_its_language", "harmless_below",
    "conditions",
})  # fmt: skip
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


def test_a_setting_says_which_languages_are_in_use() -> None:
    assert languages(EmailSettings()) == CODES
    assert languages(EmailSettings.model_validate({"mail_languages": "en, PL"})) == ("en", "pl")
    with pytest.raises(BadSetting, match="COUNTERSIGN_MAIL_LANGUAGES names xx"):
        languages(EmailSettings.model_validate({"mail_languages": "en,xx"}))


def test_a_mail_is_read_in_the_languages_in_use_and_with_the_names_that_are_known() -> None:
    head = b"From: Grace <grace@example.com>\nTo: c@example.test\nSubject: Re: x\n\n"
    assert read_reply(head + b"Genehmigt").verdict == "approve"
    assert read_reply(head + b"Genehmigt", languages=["en"]).verdict == "none"
    known = KnownNames("Grace Hopper", ["Alice Arundel"])
    assert read_reply(head + b"Hi Alice, approved", known).verdict == "approve"
    assert read_reply(head + b"Hi Carol, approved", known).verdict == "none"
    assert read_reply(head + b"Approved by Grace Hopper", known).verdict == "approve"
    assert read_reply(head + b"Approved by Alice Arundel", known).verdict == "none"
