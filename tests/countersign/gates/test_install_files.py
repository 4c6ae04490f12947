"""Files that `countersign gate install` can't write."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from countersign.errors import BadQuestion
from countersign.gates.install import file, write


def test_a_file_that_cannot_be_written_whole_leaves_nothing_behind(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    try:
        with pytest.raises(BadQuestion, match="can't be written: File too large"):
            write([file(str(tmp_path / "sshd"), "account required pam_exec.so\n")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
