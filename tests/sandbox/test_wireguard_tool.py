"""Finding wireguard-go, and saying why there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.wireguard_tool import GO_PACKAGE, NoWireGuard, check_networks, find_wireguard


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder on PATH, empty."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def script(file: Path, *lines: str) -> None:
    file.write_text("\n".join(["#!/bin/sh", *lines]))
    file.chmod(0o755)


def test_the_one_on_path_comes_first(path: Path, tmp_path: Path) -> None:
    script(path / "wireguard-go")
    assert find_wireguard(print, tmp_path / "cache") == path / "wireguard-go"


def test_go_builds_it_into_the_cache_once(path: Path, tmp_path: Path) -> None:
    messages: list[str] = []
    script(path / "go", f'[ "$2" = {GO_PACKAGE} ] && echo built > "$GOBIN/wireguard"')
    kept = tmp_path / "cache" / "wireguard-go"
    assert find_wireguard(messages.append, kept.parent) == kept
    assert kept.read_text() == "built\n"
    (path / "go").unlink()
    assert find_wireguard(messages.append, kept.parent) == kept
    assert len(messages) == 1


def test_where_it_cannot_be_had_it_says_what_to_install(path: Path, tmp_path: Path) -> None:
    with pytest.raises(NoWireGuard, match="install wireguard-go, or Go"):
        find_wireguard(print, tmp_path / "cache")
    script(path / "go", "echo 'no network' >&2; exit 1")
    with pytest.raises(NoWireGuard, match="could not be built \\(no network\\)"):
        find_wireguard(print, tmp_path / "cache")


def test_where_no_network_can_be_made_it_says_why(path: Path) -> None:
    with pytest.raises(NoWireGuard, match="install wireguard-tools, iproute2, iputils-ping, util-linux"):
        check_networks()
    for name in ("wg", "ip", "ping"):
        script(path / name)
    script(path / "unshare", "echo 'Operation not permitted' >&2; exit 1")
    with pytest.raises(NoWireGuard, match="can't be made here \\(Operation not permitted\\)"):
        check_networks()
