"""Writing lines without ever holding up the caller."""

from __future__ import annotations

import os

from countersign.line_writer import LEFT_OUT, LineWriter
from tests.countersign.full_pipe import full_pipe


def test_what_has_no_room_is_left_out_and_counted() -> None:
    with full_pipe() as (reading, writing):
        output = LineWriter(writing, most=2)
        for number in range(10):
            output.say(f"line {number}")
        taken = b""
        while b"line 1\n" not in taken:
            taken += os.read(reading, 65536)
        output.say("after")
        while b"after\n" not in taken:
            taken += os.read(reading, 65536)
        output.close()
    *lines, left_out, after = taken.decode().lstrip(".").splitlines()
    assert lines == [f"line {number}" for number in range(len(lines))]
    assert left_out == LEFT_OUT.format(10 - len(lines))
    assert after == "after"


def test_the_last_lines_are_written_before_the_end() -> None:
    reading, writing = os.pipe()
    output = LineWriter(writing, str.upper)
    for number in range(100):
        output.say(f"{number}: \udc80 é\n")
    output.close()
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as taken:
        assert taken.readlines() == [f"{number}: \\udc80 É\n" for number in range(100)]


def test_whoever_no_longer_reads_ends_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    output = LineWriter(writing)
    output.say("to nobody")
    output.close()
    os.close(writing)
