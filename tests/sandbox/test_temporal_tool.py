from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from sandbox.temporal_tool import NoTemporal, default_cache, download, find_temporal, server_version


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder on PATH, empty; nothing can be downloaded."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def script(path: Path, *lines: str) -> None:
    path.write_text("\n".join(["#!/bin/sh", *lines]))
    path.chmod(0o755)


def test_the_tool_on_path_comes_first(temporal_tool: Path, path: Path, cache: Path, messages: list[str]) -> None:
    (path / "temporal").symlink_to(temporal_tool)
    cache.mkdir()
    (cache / "temporal").symlink_to(temporal_tool)
    assert find_temporal(messages.append, cache) == path / "temporal"
    assert "on PATH" in messages[-1]


def test_the_cache_comes_next_and_an_old_server_on_path_is_passed_over(
    temporal_tool: Path, path: Path, cache: Path, messages: list[str]
) -> None:
    script(path / "temporal", "echo 'temporal version 1.1.0 (Server 1.25.0, UI 2.30.3)'")
    cache.mkdir()
    (cache / "temporal").symlink_to(temporal_tool)
    assert find_temporal(messages.append, cache) == cache / "temporal"
    assert "1.25, older than 1.29" in messages[0]
    assert "in the cache" in messages[-1]


def test_what_does_not_run_is_passed_over(temporal_tool: Path, path: Path, cache: Path, messages: list[str]) -> None:
    script(path / "temporal", "exit 3")
    cache.mkdir()
    (cache / "temporal").symlink_to(temporal_tool)
    assert find_temporal(messages.append, cache) == cache / "temporal"
    assert "does not run" in messages[0]


def test_go_builds_it_into_the_cache_once(temporal_tool: Path, path: Path, cache: Path, messages: list[str]) -> None:
    script(path / "go", f'[ "$1" = install ] && /bin/ln -s {temporal_tool} "$GOBIN/temporal"')
    assert find_temporal(messages.append, cache) == cache / "temporal"
    assert any("building" in message for message in messages)
    (path / "go").unlink()
    assert find_temporal(messages.append, cache) == cache / "temporal"


def test_where_all_fail_it_says_what_to_install(path: Path, cache: Path, messages: list[str]) -> None:
    script(path / "go", "echo 'no network' >&2", "exit 1")
    with pytest.raises(NoTemporal, match="install the `temporal` command line tool"):
        find_temporal(messages.append, cache)
    assert any("no download" in message for message in messages)
    assert "no network" in messages[-1]
    assert not (cache / "temporal").exists()


def test_the_sdk_hands_over_what_it_downloaded(temporal_tool: Path, tmp_path: Path) -> None:
    # The name under which the SDK looks for what it downloaded before.
    (tmp_path / f"temporal-sdk-python-{version('temporalio')}").symlink_to(temporal_tool)
    assert download(tmp_path) == ""


def test_a_failed_download_says_why(path: Path, tmp_path: Path) -> None:
    assert "failed to download" in download(tmp_path)


def test_the_cache_is_where_xdg_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "countersign" / "bin"


def test_the_server_is_new_enough(temporal_tool: Path, tmp_path: Path) -> None:
    assert (server_version(temporal_tool) or (0, 0)) >= (1, 29)
    assert server_version(tmp_path / "nothing") is None
