"""Each function of the store is one transaction, and writing the same thing twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from countersign.errors import NotFound, Refused
from countersign.models import OWN_APPROVAL, Decision, Event, GrantStatus, Status, Verdict
from countersign.notifications import RejectedInput
from countersign.transitions import (
    GRANT_STEP,
    AskAgain,
    GrantEnd,
    LevelStart,
    Recheck,
    Recipient,
    RecordedTransition,
    Transition,
)
from engine.asking import MOST_REPEATS
from engine.policy import ReadPolicy, apply_policy, put_in_force
from engine.transactions import Transactions
from store import Store
from store.tables import FIRST_APPROVAL_ID
from tests.store.requests import (
    a_step,
    approved,
    approving,
    asking,
    at_once,
    given,
    kinds,
    line,
    lost,
    opened,
    opening,
    question,
    sent,
    soon,
    store_answer,
    transactions,
    write,
)
from tests.workflows.people import policy


def own_approval(person: str) -> Decision:
    return Decision(
        answer_id=OWN_APPROVAL,
        level=1,
        person=person,
        verdict=Verdict.APPROVE,
        channel=OWN_APPROVAL,
        at=soon(0),
    )


# --- opening --------------------------------------------------------------------------------------------------------


def test_numbers_rise(store: Store) -> None:
    first, second, third = (opened(store, device=f"web-{n}").approval_id for n in range(1, 4))
    assert FIRST_APPROVAL_ID <= first < second < third


def test_the_same_run_is_opened_once(store: Store) -> None:
    run = opening()
    first, second = transactions(store).opener.open(run), transactions(store).opener.open(run)
    assert first == second
    assert first.opened is not None
    assert kinds(store, first.opened.approval_id) == ["opened"]


@pytest.mark.usefixtures("store")
def test_a_policys_minutes_may_be_made_short(migrated_url: str) -> None:
    store, second = Store(migrated_url), timedelta(seconds=1)
    transactions = Transactions(store, minute=second)
    request = transactions.opener.open(opening()).opened
    assert request is not None
    assert request.deadline - request.opened_at == timedelta(seconds=60)
    assert request.minute == second
    write(store, asking(request.approval_id, "grace"))
    written = transactions.transitions.write(approving(store_answer(store, given(request.approval_id))))
    assert written.grant is not None
    assert written.grant.ends_at == written.grant.starts_at + timedelta(seconds=120)
    store.close()


def test_a_question_that_the_rules_refuse_gets_no_number_but_a_row_in_the_record(store: Store) -> None:
    before = store.events.last_version()
    with pytest.raises(Refused, match="There is no zoe"):
        transactions(store).opener.open(opening(requester="zoe", source_address="10.0.0.7"))
    [row] = store.events.since(before)
    assert (row.kind, row.who, row.approval_id) == ("refused", "zoe", None)
    asked = {"requester": "zoe", "device": "web-1", "protocol": "ssh"}
    assert row.proof == asked | {"source_address": "10.0.0.7"}
    assert store.reading.newest() == []


def test_without_a_policy_the_refusal_names_the_remedy(database_url: str) -> None:
    store = Store(database_url)
    with pytest.raises(Refused, match="countersign policy apply"):
        transactions(store).opener.open(opening())
    store.close()


# --- steps ----------------------------------------------------------------------------------------------------------


def test_a_step_written_twice_is_written_once(store: Store) -> None:
    request = opened(store)
    for _ in range(2):
        write(store, asking(request.approval_id, "grace"))
    step = approving(store_answer(store, given(request.approval_id)))
    first = write(store, step)
    again = write(store, step.model_copy(update={"at": step.at + timedelta(seconds=9)}))
    assert again == first != RecordedTransition()
    assert kinds(store, request.approval_id) == ["opened", "level_started", "answered", "approved", "granted"]
    assert len(store.notifications.of_step(request.approval_id, 1)) == 1
    assert sorted(row.person for row in store.notifications.of_step(request.approval_id, 2)) == ["alice", "grace"]
    view = store.reading.request(request.approval_id)
    assert (view.status, len(view.decisions), len(view.approvers)) == (Status.APPROVED, 1, 1)


def test_of_many_who_write_the_same_step_at_once_one_writes_it(store: Store) -> None:
    request = opened(store)
    write(store, asking(request.approval_id, "grace"))
    step = approving(store_answer(store, given(request.approval_id)))
    results = at_once(lambda: write(store, step))
    assert len({one.grant and one.grant.ends_at for one in results}) == 1
    assert kinds(store, request.approval_id) == ["opened", "level_started", "answered", "approved", "granted"]


def test_what_a_workflow_has_forgotten_stays_on_record_and_all_who_were_asked_are_told(store: Store) -> None:
    number = opened(store, device="databases-1").approval_id
    write(store, asking(number, "grace"))
    write(store, asking(number, "heidi", key="2.level_started").model_copy(update={"level": 2}))
    told = [Recipient(event=Event.SETTLED, person=one) for one in ("alice", "grace")]
    write(store, a_step(number, "1.cancelled", status=Status.CANCELLED, words="Cancelled.", tell=told))
    assert store.reading.request(number).level == 2
    assert sorted(row.person for row in store.notifications.of_step(number, 3)) == ["alice", "grace", "heidi"]


def test_a_step_is_whole_or_not_at_all(store: Store) -> None:
    number = opened(store).approval_id
    step = asking(number, "grace")
    with pytest.raises(Exception, match=r"(?i)unique"):  # nobody can be sent the same notice twice
        write(store, step.model_copy(update={"tell": step.tell * 2}))
    assert kinds(store, number) == ["opened"]
    assert store.notifications.of_step(number, 1) == []
    assert store.reading.request(number).approvers == []
    assert write(store, step).number == 1


def test_steps_count_by_what_they_are_in_whatever_order_they_are_written_again(store: Store) -> None:
    number = opened(store).approval_id
    write(store, asking(number, "grace"))
    reminding = a_step(number, "1.reminded", lines=[line("reminded")])
    assert write(store, reminding).number == 2
    approval = approving(store_answer(store, given(number)))
    assert write(store, approval).number == 3
    assert [write(store, one).number for one in (approval, reminding)] == [3, 2]
    assert kinds(store, number) == ["opened", "level_started", "reminded", "answered", "approved", "granted"]


def test_a_request_that_has_ended_on_record_stays_as_it_ended(store: Store) -> None:
    number = approved(store)
    before = store.events.last_version()
    rejecting = a_step(number, "1.answer.x", status=Status.REJECTED, words="No.", lines=[line("rejected")])
    written = write(store, rejecting)
    assert written.instead is not None
    assert (written.instead.status, written.instead.words) == (Status.APPROVED, "Approved by grace.")
    assert [one.person for one in written.instead.decisions] == ["grace"]
    assert written.grant is not None
    assert store.reading.request(number).status is Status.APPROVED
    assert store.events.last_version() == before


def test_the_requesters_own_approval_is_stored_with_its_step(store: Store) -> None:
    request = opened(store, requester="grace")
    step = asking(request.approval_id, "ada")
    own = own_approval("grace")
    for _ in range(2):
        write(store, step.model_copy(update={"decision": own}))
    [decision] = store.reading.request(request.approval_id).decisions
    assert (decision.person, decision.channel) == ("grace", "own approval")


def test_a_repeat_of_the_question_is_on_record_once(store: Store) -> None:
    request = opened(store)
    for key in ("ask.1", "ask.1", "ask.2"):
        again = AskAgain(approval_id=request.approval_id, key=key, line=line("asked_again", "alice"))
        transactions(store).asking.ask_again(again)
    assert kinds(store, request.approval_id) == ["opened", "asked_again", "asked_again"]


def test_what_was_asked_too_often_for_temporal_is_joined_on_record_alone(store: Store) -> None:
    number = opened(store).approval_id
    opened(store, device="web-2")
    repeats = [line("asked_again", "alice")] * (MOST_REPEATS - 1)
    write(store, a_step(number, "1.asked", lines=repeats))
    assert transactions(store).asking.answer_on_record(question(), "gate-1") is None
    transactions(store).asking.ask_again(AskAgain(approval_id=number, key="ask.two", line=line("asked_again", "alice")))
    joined = transactions(store).asking.answer_on_record(question(reason="again"), "gate-1")
    assert joined is not None
    assert (joined.approval_id, joined.status, joined.joined) == (number, Status.WAITING, True)
    row = store.events.of(number)[-1]
    assert (row.kind, row.who, row.proof["reason"]) == ("asked_again", "gate-1", "again")
    assert transactions(store).asking.answer_on_record(question(device="web-2"), "gate-1") is None
    write(store, a_step(number, "1.cancelled", status=Status.CANCELLED))
    assert transactions(store).asking.answer_on_record(question(), "gate-1") is None


# --- people ---------------------------------------------------------------------------------------------------------


def test_the_people_of_a_level_are_those_of_now(store: Store) -> None:
    request = opened(store, device="databases-1")
    level = LevelStart(approval_id=request.approval_id, level=2)
    assert [one.person for one in transactions(store).people.of_level(level).approvers] == ["heidi", "ivan", "ada"]
    apply_policy(store, policy(disabled=("heidi",)), "ada")
    assert [one.person for one in transactions(store).people.of_level(level).approvers] == ["ivan", "ada"]
    with pytest.raises(NotFound):
        transactions(store).people.of_level(LevelStart(approval_id=1, level=1))


def test_standing_says_who_may_no_longer_act_or_cannot_be_reached(store: Store) -> None:
    request = opened(store, device="vaults-1")
    number = request.approval_id
    write(store, asking(number, "ivan", "grace"))
    ids = [row.id for row in store.notifications.of_step(number, 1) if row.person == "ivan"]
    transactions(store).deliveries.mark(number, [lost(ids[0], "550 no such user")])
    standing = transactions(store).people.recheck(Recheck(approval_id=number, people=["ivan", "grace"]))
    assert (standing.requester_disabled, standing.disabled, standing.unreachable) == (False, [], ["ivan"])
    transactions(store).signals.add("grace", number, "unreachable", "bounced")
    apply_policy(store, policy(disabled=("alice", "ivan")), "ada")
    standing = transactions(store).people.recheck(Recheck(approval_id=number, people=["ivan", "grace"]))
    assert (standing.requester_disabled, standing.disabled) == (True, ["ivan"])
    assert sorted(standing.unreachable) == ["grace", "ivan"]
    assert transactions(store).rechecks.due() == [number]


def test_who_was_left_out_as_disabled_is_not_looked_at_again(store: Store) -> None:
    number = opened(store, device="vaults-1").approval_id
    write(store, asking(number, "ivan", "grace"))
    apply_policy(store, policy(disabled=("ivan",)), "ada")
    assert transactions(store).rechecks.due() == [number]
    write(store, a_step(number, "step 2", standing={"ivan": "disabled"}))
    assert transactions(store).rechecks.due() == []


def test_who_no_notice_reached_is_looked_at_until_that_is_done(store: Store) -> None:
    number = opened(store, device="vaults-1").approval_id
    write(store, asking(number, "ivan", "grace"))
    asked = {row.person: row.id for row in store.notifications.of_step(number, 1)}
    transactions(store).deliveries.mark(
        number, [sent(asked["grace"], "<sent@here>"), lost(asked["ivan"], "550 no such user")]
    )
    assert transactions(store).rechecks.due() == [number]
    write(store, a_step(number, "1.ivan.unreachable", standing={"ivan": "unreachable"}))
    assert transactions(store).rechecks.due() == []


def test_who_is_out_of_office_is_looked_at_once(store: Store) -> None:
    number = opened(store, device="vaults-1").approval_id
    write(store, asking(number, "ivan", "grace"))
    transactions(store).signals.add("ivan", number, "away", "Out of office")
    transactions(store).signals.add("ivan", number, "away", "Out of office")
    assert kinds(store, number).count("away") == 1
    assert transactions(store).people.recheck(Recheck(approval_id=number, people=["ivan", "grace"])).away == ["ivan"]
    assert transactions(store).rechecks.due() == [number]
    write(store, a_step(number, "step 2", standing={"ivan": "away"}))
    assert transactions(store).rechecks.due() == []
    transactions(store).signals.add("ivan", number, "unreachable", "bounced")
    assert transactions(store).rechecks.due() == [number]


def test_who_has_written_about_a_request_can_be_reached(store: Store) -> None:
    number = opened(store, device="vaults-1").approval_id
    write(store, asking(number, "ivan", "grace", "heidi"))
    store_answer(store, given(number, "ivan"))
    transactions(store).rejected_inputs.record(
        RejectedInput(channel="email", source_id="<m1>", approval_id=number, who="grace", words="?")
    )
    transactions(store).rejected_inputs.record(
        RejectedInput(channel="email", source_id="<m2>", approval_id=None, who="heidi", words="?")
    )
    for person in ("ivan", "grace", "heidi"):
        transactions(store).signals.add(person, number, "unreachable", "a mail that says it is a bounce")
        transactions(store).signals.add(person, number, "away", "a mail that says it is an absence")
    look = Recheck(approval_id=number, people=["ivan", "grace", "heidi"])
    assert transactions(store).people.recheck(look).unreachable == ["heidi"]
    assert transactions(store).people.recheck(look).away == ["heidi"]


def test_a_standing_gets_no_better_and_is_kept_at_the_next_level(store: Store) -> None:
    number = opened(store, device="databases-1").approval_id
    write(store, asking(number, "ivan", "grace"))
    for signal in ("unreachable", "away"):
        transactions(store).signals.add("ivan", number, signal, "bounced, and out of office")
    write(store, a_step(number, "step 2", standing={"ivan": "unreachable"}))
    write(store, a_step(number, "step 3", standing={"ivan": "away"}))
    assert transactions(store).rechecks.due() == []
    write(store, asking(number, "ivan", "heidi", key="2.level_started").model_copy(update={"level": 2}))
    assert transactions(store).rechecks.due() == []


# --- grants ---------------------------------------------------------------------------------------------------------


def test_while_a_grant_lasts_it_answers_the_question_in_place_of_a_new_request(store: Store) -> None:
    number = approved(store)
    reply = transactions(store).opener.open(opening())
    assert reply.opened is None
    assert reply.outcome is not None
    assert (reply.outcome.approval_id, reply.outcome.status) == (number, Status.APPROVED)
    assert kinds(store, number)[-1] == "asked_again"
    assert transactions(store).granting.ask(question(device="web-2"), "alice") is None
    other_requester = transactions(store).granting.ask(question(requester="bob"), "bob")
    assert other_requester is None


def test_a_grant_ends_once(store: Store) -> None:
    number = approved(store)
    end = GrantEnd(approval_id=number, status=GrantStatus.REVOKED, at=soon(0), who="grace", words="enough")
    late = end.model_copy(update={"status": GrantStatus.ENDED, "who": "the clock"})
    assert [transactions(store).granting.end(one) for one in (end, end, late)] == [True, False, False]
    assert kinds(store, number)[-1] == "grant_revoked"
    assert sorted(row.person for row in store.notifications.of_step(number, GRANT_STEP)) == ["alice", "grace"]
    grant = store.grants.of(number)
    assert grant is not None
    assert grant.status is GrantStatus.REVOKED
    assert transactions(store).granting.ask(question(), "alice") is None


def test_the_grants_of_the_disabled_and_the_deleted_are_found(store: Store) -> None:
    number = approved(store)
    assert transactions(store).granting.to_revoke() == []
    apply_policy(store, policy(disabled=("alice",)), "ada")
    assert [one.approval_id for one in transactions(store).granting.to_revoke()] == [number]


# --- what relies on people who must be enabled -----------------------------------------------------------------------


def test_a_step_that_relies_on_somebody_disabled_is_not_written(store: Store) -> None:
    number = opened(store).approval_id
    write(store, asking(number, "grace"))
    step = approving(store_answer(store, given(number))).model_copy(update={"relies_on": ["alice", "grace"]})
    apply_policy(store, policy(disabled=("grace",)), "ada")
    written = write(store, step)
    assert (written.disabled, written.number, written.grant) == (["grace"], 0, None)
    assert kinds(store, number) == ["opened", "level_started"]
    assert store.reading.request(number).status is Status.WAITING
    apply_policy(store, policy(), "ada")
    assert write(store, step).grant is not None  # nothing of it was left


def test_what_was_written_before_stays_though_who_it_relied_on_is_disabled_since(store: Store) -> None:
    number = opened(store).approval_id
    step = approving(store_answer(store, given(number))).model_copy(update={"relies_on": ["grace"]})
    first = write(store, step)
    apply_policy(store, policy(disabled=("grace",)), "ada")
    assert write(store, step) == first


def test_disabling_and_approving_at_once_come_one_after_the_other(store: Store) -> None:
    disabling, enabling = ReadPolicy.of(policy(disabled=("grace",))), ReadPolicy.of(policy())
    for n in range(1, 11):
        put_in_force(store, enabling, "ada")
        number = opened(store, device=f"web-{n}").approval_id
        step = approving(store_answer(store, given(number))).model_copy(update={"relies_on": ["grace"]})
        before = store.events.last_version()
        turns = iter(["disable", "write"] * 2)

        def take_a_turn(step: Transition = step, turns: Iterator[str] = turns) -> RecordedTransition | int:
            if next(turns) == "disable":
                return put_in_force(store, disabling, "ada")
            return write(store, step)

        written = [one for one in at_once(take_a_turn) if isinstance(one, RecordedTransition)]
        first = next(row.kind for row in store.events.since(before) if row.kind in ("policy_applied", "approved"))
        if first == "approved":
            assert all(one.grant for one in written)
        else:
            assert [one.disabled for one in written] == [["grace"]] * 2


def test_an_approval_that_lapsed_is_shown_as_one_and_is_not_submitted_again(store: Store) -> None:
    number = opened(store).approval_id
    answer = store_answer(store, given(number))
    decision = Decision(answer_id=answer.id, **answer.model_dump(exclude={"id", "approval_id"}))
    write(store, a_step(number, f"1.answer.{answer.id}", decision=decision, lines=[line("answered", "grace")]))
    write(store, a_step(number, "1.grace.disabled", lapsed=[answer.id], lines=[line("approval_lapsed")]))
    assert [one.lapsed for one in store.reading.request(number).decisions] == [True]
    assert store.answers.counted(soon(0)) == []
    assert store.answers.outcome(answer.id)[0] == "lapsed"
