"""The one facade of the engine: channels, pages, workflows and sweepers call it, and nothing behind it."""

from collections.abc import Sequence
from concurrent.futures import Executor

from countersign.client import Client
from countersign.enrolment.explain import EnrolmentExplained, EnrolmentQuestion, explained, facts_of
from countersign.models import Asked, Question
from countersign.notifications import Person, SubmittedComment
from countersign.permissions import Action, Principal, as_of, principal, why_not_ask
from countersign.transitions import (
    GRANT_TRANSITION,
    GrantEnd,
    RecordedTransition,
    Transition,
    TransitionResult,
)
from countersign.views import Mine, RequestView
from engine.alerts import Alerts
from engine.audit import Audit
from engine.comments import pass_on
from engine.credentials.application_sessions import ApplicationSessions
from engine.credentials.client_certificates import ClientCertificates
from engine.credentials.device_login import CommandLineLogins
from engine.credentials.machines import ProvisioningKeyActions, ServiceTokenActions
from engine.credentials.passkeys import PasskeyActions
from engine.credentials.rdp_tokens import RdpTokens
from engine.credentials.sign_in import From, SignIn
from engine.credentials.tokens import TokenActions
from engine.devices.external_evaluation import ExternalEvaluations
from engine.devices.registered import Devices
from engine.notifications.outbox import Outbox
from engine.notifications.sent_messages import SentMessages
from engine.planning import Planning
from engine.recovery import Recovery
from engine.resources import Resources
from engine.settling import Settling
from engine.submitting import Submitting
from engine.sweeping import Sweeping
from engine.transactions import Transactions
from engine.undoing import Undoing
from store import Store


class Engine:
    """Decides what happens, has it recorded, and has the people concerned notified.

    What also needs Temporal or a channel is a method here or of `devices`. The other parts need the database alone;
    their methods are transactions, which block, so callers use a thread: `engine.run(engine.passkeys.add, ...)`.

    `outbox` sends what is written here at once, and its channels notify senders of refusals; without one, a worker's
    sweeper sends it. `executor` is where transactions run, by default the store's own. `most_an_hour` is how many
    requests may be opened for one person within an hour, 0 for any number.
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        outbox: Outbox | None = None,
        executor: Executor | None = None,
        most_an_hour: int = 0,
    ) -> None:
        # How people, browsers and machines prove who they are.
        self.sign_in, self.passkeys, self.logins = SignIn(store), PasskeyActions(store), CommandLineLogins(store)
        self.tokens, self.rdp_tokens = TokenActions(store), RdpTokens(store)
        self.service_tokens, self.provisioning_keys = ServiceTokenActions(store), ProvisioningKeyActions(store)
        self.application_sessions, self.certificates = ApplicationSessions(store), ClientCertificates(store)
        # What pages show.
        self.audit, self.planning, self.sent = Audit(store), Planning(store), SentMessages(store)
        # What workflows read and write.
        inner = self._transactions = Transactions(store, most_an_hour)
        self.opener, self.people, self.asking = inner.opener, inner.people, inner.asking
        self.deadline, self.transitions = inner.deadline, inner.transitions
        self._reading = store.reading
        self._resources = Resources(client, store, inner, executor or store.database.executor, outbox)
        self.run = self._resources.run
        settling = Settling(self._resources)
        submitting = Submitting(self._resources, settling)
        undoing = Undoing(self._resources, settling)
        alerts = Alerts(self._resources)
        sweeping, recovery = Sweeping(self._resources, undoing), Recovery(self._resources, submitting.submit)
        self._external_evaluations = ExternalEvaluations()
        self.devices = Devices(self._resources, undoing, self._external_evaluations)
        # What people do, on any channel.
        self.store_answer, self.submit = submitting.store, submitting.submit
        self.record_rejected = submitting.record_rejected
        self.cancel, self.revoke, self.give_back = undoing.cancel, undoing.revoke, undoing.give_back
        # Not about a request.
        self.notify = self._resources.notify
        # What sweepers do.
        self.enforce_directory = sweeping.enforce_directory
        self.settle_lost, self.end_overdue = settling.settle_lost, settling.end_overdue
        self.alert_admins, self.tell_of_expiry = alerts.of_inboxes, alerts.of_expiry
        self.submit_left_over, self.remind_workflows = recovery.submit_left_over, recovery.remind_workflows

    async def ask(self, question: Question, who: Principal, request_id: str) -> Asked:
        """Open or join the request for a question, or answer it by a grant that lasts.

        `who` asks: the requester, or an admin or gateway for them. The same `request_id` is the same call made again.
        Raises NotAllowed, Refused, Unavailable.
        """
        if who.name != question.requester:
            who = as_of(await self.run(self._reading.policy), who)
        if why := why_not_ask(who, question):
            raise why
        if question.renew:
            question = await self.run(self._transactions.granting.with_address, question)
        asked = await self.run(self._transactions.asking.answer_on_record, question, who.name)
        return asked or await self._resources.client.ask(question, request_id, who.name)

    async def inquire(self, submitted: SubmittedComment) -> None:
        """Pass an approver's question on to the requester, once (rule 9).

        Raises NotFound, NotAllowed, Refused if the request no longer waits, and TooMany.
        """
        await self._pass_on(Action.INQUIRE, submitted)

    async def comment(self, submitted: SubmittedComment) -> None:
        """Pass the requester's comment on to those asked now who haven't answered yet, once. Raises the same."""
        await self._pass_on(Action.COMMENT, submitted)

    async def _pass_on(self, action: Action, submitted: SubmittedComment) -> None:
        await self.run(pass_on, self._resources.store, action, submitted)
        await self._resources.send_replies(submitted.approval_id)

    async def report(self, person: str, approval_id: int | None, signal: str, detail: str) -> None:
        """Record that a person is `away` or `unreachable`; the sweeper has their requests check again who may act."""
        await self.run(self._transactions.signals.add, person, approval_id, signal, detail)

    async def person_at(self, address: str) -> Person | None:
        """The person of the directory with this mail address, whatever its case."""
        return await self.run(self._reading.person_at, address)

    async def person(self, person: str) -> Person:
        """Somebody of the directory by id."""
        return await self.run(self._reading.person, person)

    async def send_sign_in_link(self, address: str, caller: From, go_to: str, channels: Sequence[str]) -> None:
        """Send a sign-in link to whoever has this address, if anybody; see `SignIn.send_link`."""
        await self.run(self.sign_in.send_link, address, caller, go_to, channels)
        await self._resources.send_new()

    async def explain_enrolment(self, asked: EnrolmentQuestion) -> EnrolmentExplained:
        """Which enrolment rule would answer; external evaluations are asked. Raises Refused for an unknown person."""
        _, policy = await self.run(self._resources.store.policies.current)
        facts = facts_of(policy, asked)
        return explained(policy, facts, await self._external_evaluations.answers(policy.enrolment or [], facts))

    async def principal(self, person: str) -> Principal:
        """A person as a principal, to check what they may do under the policy in force."""
        return principal(await self.run(self._reading.policy), person)

    async def request(self, approval_id: int) -> RequestView:
        """A request as it is now. Raises NotFound."""
        return await self.run(self._reading.request, approval_id)

    async def mine(self, person: str, limit: int = 50) -> Mine:
        """The requests that concern a person, at most `limit` in each list; none if they are disabled."""
        caller = await self.principal(person)
        return await self.run(self._reading.mine, person, limit) if caller.enabled else Mine()

    # --- for the workflows --------------------------------------------------------------------------------------------

    async def carry_out(self, transition: Transition, written: RecordedTransition) -> TransitionResult:
        """Start the grant that a written transition opened, if any, and notify those whom the transition concerns.

        The grant's workflow is started here and not as a child: a parent that ends in the same task takes with it
        a child that has not started yet, whatever its close policy.
        """
        if written.grant is not None:
            await self._resources.client.start_grant(written.grant)
        is_written = not (written.instead or written.disabled)
        unreachable = await self._deliver(transition, written.number) if is_written else []
        return TransitionResult(**written.model_dump(), unreachable=unreachable)

    async def _deliver(self, transition: Transition, number: int) -> list[str]:
        """Send the notifications of a transition, if any; returns the people whom no channel can reach."""
        if self._resources.outbox is None or not (transition.recipients or self._resources.outbox.live):
            return []
        return await self._resources.outbox.deliver(transition.approval_id, number)

    async def end_grant(self, end: GrantEnd) -> None:
        """End or revoke a grant, once, and notify those whom it concerns."""
        await self.run(self._transactions.granting.end, end)
        if self._resources.outbox is not None:
            await self._resources.outbox.deliver(end.approval_id, GRANT_TRANSITION)
