"""Questions of any kind: how they are stored, how they are sent, and what they ask for."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from countersign.kinds import AnyQuestion, question_from
from countersign.kinds.connection import CONNECTION, ConnectionQuestion
from countersign.models import Model, Subject
from countersign.question import QuestionBy, read_question_by

# As every version so far has written it: without a kind.
WRITTEN = {"requester": "alice", "device": "db-1", "protocol": "ssh", "reason": "backup", "minutes": 30}


class Holder(Model):
    """Something that holds a question."""

    question: AnyQuestion


def test_what_was_written_before_there_were_kinds_asks_for_a_connection() -> None:
    question = question_from(WRITTEN)
    assert isinstance(question, ConnectionQuestion)
    assert question.subject == Subject(
        kind="connection",
        key="connection:alice:db-1:ssh",
        target="db-1",
        variant="ssh",
        fields={"device": "db-1", "protocol": "ssh"},
    )


def test_a_connection_is_written_as_it_always_was() -> None:
    held = Holder(question=question_from(WRITTEN))
    assert held.model_dump(mode="json")["question"] == WRITTEN | {"ticket": "", "source_address": ""}
    assert Holder.model_validate_json(held.model_dump_json()) == held


def test_what_a_newer_version_wrote_is_read_all_the_same() -> None:
    assert question_from(WRITTEN | {"of_tomorrow": 1}) == question_from(WRITTEN)


@pytest.mark.parametrize(
    "written", [None, [], "alice", {"kind": "dinner"}, {"kind": ["connection"]}, {"requester": "a"}]
)
def test_what_is_no_question_is_no_part_of_anything(written: Any) -> None:
    with pytest.raises(ValidationError):
        Holder.model_validate({"question": written})


def test_who_puts_it_is_sent_beside_it_in_one_object() -> None:
    by = QuestionBy(question_from(WRITTEN), "gateway:bastion")
    assert by.sent() == WRITTEN | {"ticket": "", "source_address": "", "asked_by": "gateway:bastion"}
    assert read_question_by(by.sent(), CONNECTION) == by


def test_programs_are_told_of_all_its_fields() -> None:
    described = TypeAdapter(Holder).json_schema(mode="serialization")
    kinds = described["properties"]["question"]["anyOf"]
    assert {"requester", "device", "protocol"} <= kinds[0]["properties"].keys()
