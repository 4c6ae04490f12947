"""Countersign over HTTP, typed: what the `countersign` command uses, and any Python program may.

    with Api("https://access.example.com", token) as api:
        asked = api.ask(ConnectionQuestion(requester="alice", device="db-1", protocol="ssh", reason="backup"))
        view = api.wait(asked.approval_id, after=0, source_address="")

Yes means: `grant_reuse.covers(view.grant, source_address, now)`.

Every method may raise, each with a message for people: BadQuestion and BadPolicy (what was sent is wrong), NotAllowed
(no token, or not yours to do), NotFound, Refused (the answer is no), Unavailable (no connection, no answer in time, or
something answers that is not Countersign).
"""

import ipaddress
import json
import re
import ssl
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from countersign import machines
from countersign.certificates import CertificateAuthority, ClientCertificate
from countersign.errors import (
    BadPolicy,
    BadQuestion,
    CountersignError,
    Delayed,
    NotAllowed,
    NotFound,
    Refused,
    TooMany,
    Unavailable,
)
from countersign.grant_reuse import address_asked_for, must_be_for
from countersign.http_answers import Applied, Explanation, Health, LoginBegun, LoginToken, Me, PolicyText
from countersign.models import Asked, Judgement, Model, Question, Status, Verdict, without_controls
from countersign.rdp import RoutedConnection, RoutingToken
from countersign.registration import (
    DeviceAction,
    DeviceStatus,
    Peers,
    Presented,
    Registered,
    RegisteredDevice,
    Snapshot,
)
from countersign.views import AppliedPolicy, AuditEventView, DelayedView, Finding, RequestView

# These import all rules of the policy, so only the calls that need them import them.
if TYPE_CHECKING:
    from countersign.devices import Device
    from countersign.enrolment.explain import EnrolmentExplained, EnrolmentQuestion
    from countersign.policy.plan import PolicyPlan
    from countersign.who_approves import WhoApproves

CONNECT_SECONDS = 5.0
# The portal waits 20 s for a worker before it answers that none is there.
ANSWER_SECONDS = 30.0
# How long one long poll may take, and how late its answer may come.
POLL_SECONDS = 25.0
LATE_SECONDS = 10.0
# No answer of the portal is longer; a longer body is not read.
LARGEST_ANSWER_BYTES = 32 * 1024 * 1024
PREFIX = "/api/v1/"
PROBLEM_TYPES = "/api/v1/problems/"
# The standard members of a problem (RFC 9457, section 3.1); all others belong to its kind.
STANDARD_MEMBERS = ("type", "title", "status", "detail", "instance")
LOG_IN = (
    "There is no token. Run `countersign login`; or make one on the page Tokens, or have an operator make one with "
    "`python -m portal token create`, and set COUNTERSIGN_TOKEN to it."
)
# How the messages of Python's ssl module name this error.
NOT_VERIFIED = "CERTIFICATE_VERIFY_FAILED"
CERTIFICATE = (
    "If its certificate is from your own authority, make this machine trust that "
    "(Debian: /usr/local/share/ca-certificates/NAME.crt, `update-ca-certificates`)."
)
VERSION_HEADER = "Countersign-Version"
NEXT_PAGE = re.compile(r'<[^>?]*\?(?P<query>[^>]*)>; rel="next"')
# A list is followed for at most this many pages.
MOST_PAGES = 1_000
LONGEST_PAGE = 200
# After these errors, a call is tried once more at once; after a timeout it isn't.
LOST = (httpx.NetworkError, httpx.RemoteProtocolError)

T = TypeVar("T")


class Remedies(NamedTuple):
    """What messages tell people to change: which setting holds the address, and how to use another token."""

    url: str = "COUNTERSIGN_URL"
    set_it: str = "set COUNTERSIGN_TOKEN to it"


COMMAND_LINE = Remedies()


class Reply(NamedTuple):
    """An answer; `json` has no control characters anywhere, and is None if the body wasn't JSON."""

    status: int
    headers: httpx.Headers
    json: Any


class Api:
    """One connection to a portal. Unknown fields in its answers are ignored, so it may be newer than this client."""

    def __init__(
        self, url: str, token: str = "", answer_seconds: float = ANSWER_SECONDS, remedies: Remedies = COMMAND_LINE
    ) -> None:
        """`answer_seconds`: how long to wait for an answer.

        Raises BadQuestion for an URL or a token that can't be one; the token itself is in no message.
        """
        self._remedies = remedies
        self.url = _checked(url, remedies)
        headers = {"Accept": "application/json", "User-Agent": "countersign"}
        if token.strip():
            headers["Authorization"] = f"Bearer {_plain(token.strip())}"
        self._http = httpx.Client(
            base_url=self.url.join(self.url.path.rstrip("/") + PREFIX),
            headers=headers,
            timeout=httpx.Timeout(answer_seconds, connect=min(CONNECT_SECONDS, answer_seconds)),
            # Through a proxy, 127.0.0.1 would be the proxy's own.
            trust_env=not is_loopback(self.url.host),
            # Loading authorities takes most of what a client costs. Plain HTTP needs none, so it gets an empty context.
            verify=trusted() if self.url.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._http.close()

    @property
    def sends_token(self) -> bool:
        """Whether a token goes with each call."""
        return "Authorization" in self._http.headers

    # --- requests ----------------------------------------------------------------------------------------------------

    def ask(self, question: Question, key: str = "") -> Asked:
        """Open a request, or join the open one; calls with the same `key` (any text without spaces) ask only once.

        A repeat returns the request and its grant as they are now. Raises Refused also if it is approved for another
        address, and Delayed if it is open but no worker is there: ask with the same `key` again later.
        """
        reply = self._post("requests", question.model_dump(mode="json"), key)
        if reply.status == HTTPStatus.ACCEPTED:
            later = self._read(DelayedView, reply)
            raise Delayed(later.message, approval_id=later.approval_id, status=later.status)
        asked = self._read(Asked, reply)
        must_be_for(asked.grant, address_asked_for(question, asked.source_address))
        return asked

    def requests(
        self,
        status: Status | None = None,
        requester: str = "",
        approver: str = "",
        limit: int = 50,
        device: str = "",
        active_grant: bool = False,
    ) -> list[RequestView]:
        """The newest requests that this token may see, newest first."""
        wanted = {"status": status, "requester": requester, "approver": approver, "device": device}
        wanted["active_grant"] = "true" if active_grant else ""
        return self._listed(list[RequestView], "requests", "before", wanted, limit)

    def approvals(self, limit: int = 50) -> list[RequestView]:
        """The requests that wait for an answer of the person whose token this is, the most urgent first."""
        return self._listed(list[RequestView], "approvals", "after", limit=limit)

    def request(self, approval_id: int) -> RequestView:
        """One request as it is now."""
        return self._read(RequestView, self._get(f"requests/{approval_id}"))

    def timeline(self, approval_id: int) -> list[AuditEventView]:
        """Everything that happened to a request, oldest first."""
        return self._listed(list[AuditEventView], f"requests/{approval_id}/timeline", "after")

    def wait(
        self, approval_id: int, after: int, seconds: float = POLL_SECONDS, source_address: str | None = None
    ) -> RequestView:
        """The request as soon as it has an event newer than `after`, or as it is after this many seconds (0-60).

        If the `source_address` of the question is given, raises Refused when the request is approved for another one.
        """
        view = self._read(RequestView, self._poll(f"requests/{approval_id}/wait", after, seconds))
        if source_address is not None:
            must_be_for(view.grant, source_address)
        return view

    def events(self, after: int | None, seconds: float = POLL_SECONDS) -> tuple[list[AuditEventView], int]:
        """What happened after this version (None: after now), and the version to go on from.

        Returns as soon as there is something, or with nothing after this many seconds (0-60).
        """
        reply = self._poll("events", after, seconds)
        try:
            version = int(reply.headers.get(VERSION_HEADER, ""))
        except ValueError:
            raise self._not_ours() from None
        return self._read(list[AuditEventView], reply), version

    def decide(self, approval_id: int, verdict: Verdict, comment: str = "", level: int | None = None) -> Judgement:
        """Answer as the token's person, at the level that was seen or, for None, the current one.

        Raises Refused if the answer doesn't count. `accepted` is false while it is stored and no worker has judged
        it.
        """
        body = {"verdict": verdict, "comment": comment, "level": level}
        return self._read(Judgement, self._post(f"requests/{approval_id}/decide", body))

    def comment(self, approval_id: int, text: str) -> RequestView:
        """Pass a text on: from the requester to those who are asked, or from an approver to the requester."""
        return self._read(RequestView, self._post(f"requests/{approval_id}/comments", {"words": text}))

    def cancel(self, approval_id: int, reason: str = "") -> Judgement:
        """Withdraw a request that waits."""
        return self._read(Judgement, self._post(f"requests/{approval_id}/cancel", {"words": reason}))

    def revoke(self, approval_id: int, reason: str = "") -> RequestView:
        """End a grant early."""
        return self._read(RequestView, self._post(f"requests/{approval_id}/revoke", {"words": reason}))

    def give_back(self, approval_id: int, reason: str = "") -> RequestView:
        """End your own grant early; a gateway ends one that it asked for."""
        return self._read(RequestView, self._post(f"requests/{approval_id}/give-back", {"words": reason}))

    def redeem_rdp_token(self, sent: RoutingToken) -> RoutedConnection:
        """Use up this routing token; returns whose connection it is for. Refused if it lets no connection in."""
        return self._read(RoutedConnection, self._make("rdp-tokens/redeem", sent))

    # --- before asking -----------------------------------------------------------------------------------------------

    def devices(self, query: str = "", limit: int = 50) -> "list[Device]":
        """The devices that this token may ask for, with `query` in their id, sorted by id."""
        from countersign.devices import Device

        return self._listed(list[Device], "devices", "after", {"query": query}, limit)

    def who_approves(self, device: str, protocol: str, requester: str = "") -> "WhoApproves":
        """Who would have to agree to a connection, and why; nobody is asked. `requester` defaults to the caller."""
        params = {"device": device, "protocol": protocol} | ({"requester": requester} if requester else {})
        from countersign.who_approves import WhoApproves

        return self._read(WhoApproves, self._get("route", params=params))

    # --- the devices that people connect with ------------------------------------------------------------------------

    def admitted(self, version: str, seconds: float = POLL_SECONDS) -> Peers:
        """The devices that may connect, as soon as they differ from this version, or after this many seconds."""
        params = {"version": version, "wait": f"{seconds:g}"}
        return self._read(Peers, self._get("devices/admitted", params=params, timeout=_poll_timeout(seconds)))

    def register(self, presented: Presented, justification: str = "", seconds: float = 0) -> Registered:
        """Register a new or known device; waits up to this many seconds for a decision, if one is needed."""
        body = {**presented.model_dump(mode="json"), "justification": justification}
        params = {"wait": f"{seconds:g}"}
        reply = self._post("devices/register", body, params=params, timeout=_poll_timeout(seconds))
        return self._read(Registered, reply)

    def registered_devices(
        self,
        person: str = "",
        serial: str = "",
        key: str = "",
        status: DeviceStatus | None = None,
        query: str = "",
        limit: int = 50,
    ) -> list[RegisteredDevice]:
        """The newest devices that this token may see and that match all of this, newest first."""
        wanted = {"person": person, "serial": serial, "key": key, "status": status, "query": query}
        return self._listed(list[RegisteredDevice], "devices/registered", "before", wanted, limit)

    def registered_device(self, device_id: str) -> RegisteredDevice:
        """One registered device as it is now."""
        return self._read(RegisteredDevice, self._get(f"devices/{_segment(device_id)}"))

    def device_snapshots(self, device_id: str) -> list[Snapshot]:
        """What a device said about itself, each time that this changed, newest first."""
        return self._read(list[Snapshot], self._get(f"devices/{_segment(device_id)}/snapshots"))

    def act_on_device(self, device_id: str, action: DeviceAction, reason: str = "") -> RegisteredDevice:
        """Do something to a device; returns it as it is then. Refused if that changes nothing."""
        path = f"devices/{_segment(device_id)}/{action}"
        return self._read(RegisteredDevice, self._post(path, {"reason": reason}))

    def explain_enrolment(self, asked: "EnrolmentQuestion") -> "EnrolmentExplained":
        """Which enrolment rule would answer, and why each before it would not; nothing is registered."""
        from countersign.enrolment.explain import EnrolmentExplained

        return self._read(EnrolmentExplained, self._post("enrolment/explain", asked.model_dump(mode="json")))

    # --- the rest ----------------------------------------------------------------------------------------------------

    def policy(self, version: int | None = None) -> PolicyText:
        """The policy in force, or a version of it. Refused if none was applied yet."""
        return self._read(PolicyText, self._get("policy", params={"version": str(version)} if version else {}))

    def policy_versions(self, before: int | None = None, limit: int = 50) -> list[AppliedPolicy]:
        """Who applied which version when, the newest first."""
        wanted = {"before": str(before) if before else ""}
        return self._listed(list[AppliedPolicy], "policy/versions", "before", wanted, limit)

    def plan_policy(self, text: str, end_grants: bool = False) -> "PolicyPlan":
        """What applying a policy file would do; nothing is changed. BadPolicy names every mistake with its line."""
        from countersign.policy.plan import PolicyPlan

        return self._read(PolicyPlan, self._post_policy("policy/plan", text, {"end_grants": end_grants}))

    def apply_policy(
        self, text: str, replaces: int | None = None, end_grants: bool = False, give_up_admin: bool = False
    ) -> int:
        """Put a policy file in force; returns its version. BadPolicy names every mistake with its line.

        Refused if the version in force isn't the one that it `replaces` (0: none), or if whoever applies it would no
        longer be an admin, unless they `give_up_admin`. `end_grants` ends grants that the new policy would not give.
        """
        params = {"replaces": replaces, "end_grants": end_grants, "give_up_admin": give_up_admin}
        return self._read(Applied, self._post_policy("policy", text, params)).version

    def explain(self, mail: bytes) -> Explanation:
        """How a mail (RFC 5322, as it came) is read, and what it would do; nothing is changed."""
        return self._read(Explanation, self._post("replies/explain", mail, kind="message/rfc822"))

    def me(self) -> Me:
        """Whose token this is."""
        return self._read(Me, self._get("me"))

    def health(self) -> Health:
        """Whether what the portal needs can be reached. Needs no token."""
        return self._read(Health, self._get("health", also=HTTPStatus.SERVICE_UNAVAILABLE))

    def doctor(self) -> list[Finding]:
        """The findings of all checks of what Countersign needs; for admins. Takes ten seconds at most."""
        return self._read(list[Finding], self._get("doctor"))

    # --- client certificates, for admins ------------------------------------------------------------------------------

    def certificate_authorities(self) -> list[CertificateAuthority]:
        """The authorities whose client certificates are trusted, by name."""
        return self._read(list[CertificateAuthority], self._get("certificate-authorities"))

    def trust_authorities(self, pem: str, hosts: list[str]) -> list[CertificateAuthority]:
        """Trust all authorities of a PEM file for these host names. Refused for one that is trusted already."""
        reply = self._post("certificate-authorities", {"pem": pem, "hosts": hosts})
        return self._read(list[CertificateAuthority], reply)

    def remove_authority(self, authority_id: str) -> CertificateAuthority:
        """Stop trusting an authority; what it has revoked stays revoked."""
        return self._read(CertificateAuthority, self._post(f"certificate-authorities/{authority_id}/remove", b""))

    def add_revocation_list(self, pem: str) -> CertificateAuthority:
        """Replace an authority's revocation list by this one; returns the authority that issued it."""
        reply = self._post("certificate-authorities/revocation-lists", {"pem": pem})
        return self._read(CertificateAuthority, reply)

    def revoke_certificate(self, authority_id: str, serial: str, reason: str = "") -> CertificateAuthority:
        """Revoke a certificate of an authority by its serial number, in hexadecimal, for good."""
        body = {"serial": serial, "reason": reason}
        return self._read(CertificateAuthority, self._post(f"certificate-authorities/{authority_id}/revoke", body))

    def client_certificates(self, serial: str = "", sha256: str = "", limit: int = 50) -> list[ClientCertificate]:
        """The certificates that were presented and valid, newest first."""
        wanted = {"serial": serial, "sha256": sha256}
        return self._listed(list[ClientCertificate], "client-certificates", "before", wanted, limit)

    # --- machines, for admins ----------------------------------------------------------------------------------------

    def service_tokens(self) -> list[machines.ServiceToken]:
        """The service tokens that were not revoked, newest first."""
        return self._listed(list[machines.ServiceToken], "service-tokens", "before")

    def make_service_token(self, wanted: machines.NewServiceToken) -> machines.ServiceTokenSecret:
        """Make a service token; its secret can be read only now."""
        return self._read(machines.ServiceTokenSecret, self._make("service-tokens", wanted))

    def rotate_service_token(self, token_id: str, rotation: machines.Rotation) -> machines.ServiceTokenSecret:
        """Make a new secret, which can be read only now; the previous one works for a while. Raises Refused."""
        path = f"service-tokens/{_segment(token_id)}/rotate"
        return self._read(machines.ServiceTokenSecret, self._make(path, rotation))

    def change_service_token(self, token_id: str, action: machines.ServiceTokenAction) -> machines.ServiceToken:
        """Refresh, disable, enable or revoke a service token, or end its previous secret. Raises Refused."""
        return self._read(machines.ServiceToken, self._post(f"service-tokens/{_segment(token_id)}/{action}", b""))

    def provisioning_keys(self) -> list[machines.ProvisioningKey]:
        """The provisioning keys that were not ended, newest first."""
        return self._listed(list[machines.ProvisioningKey], "provisioning-keys", "before")

    def make_provisioning_key(self, wanted: machines.NewProvisioningKey) -> machines.ProvisioningKeySecret:
        """Make a provisioning key; it can be read only now."""
        return self._read(machines.ProvisioningKeySecret, self._make("provisioning-keys", wanted))

    def end_provisioning_key(self, key_id: str) -> machines.ProvisioningKey:
        """End a provisioning key for good."""
        return self._read(machines.ProvisioningKey, self._post(f"provisioning-keys/{_segment(key_id)}/end", b""))

    # --- logging in --------------------------------------------------------------------------------------------------

    def begin_login(self, machine: str) -> LoginBegun:
        """Begin a login of this program; its person then allows it in a browser."""
        return self._read(LoginBegun, self._post("login", {"machine": machine}))

    def poll_login(self, device_code: str) -> LoginToken:
        """The token of a login that was allowed.

        Until it is allowed, raises an error whose `code` is authorization-pending or slow-down; if it never will be,
        access-denied or expired-token.
        """
        return self._read(LoginToken, self._post("login/token", {"device_code": device_code}))

    def end_token(self, token_id: str) -> None:
        """End a token for good: one of your own, or, for an admin, anybody's."""
        self._post(f"tokens/{token_id}/end", b"")

    # --- inside ------------------------------------------------------------------------------------------------------

    def _listed(
        self,
        shape: type[list[T]],
        path: str,
        place: str,
        wanted: Mapping[str, str | None] | None = None,
        limit: int | None = None,
    ) -> list[T]:
        """The entries of a list, page after page by the header `Link`, up to `limit`.

        `wanted` are parameters; those without a value are left out. `place` names the one that changes with each page.
        """
        params = {name: str(value) for name, value in (wanted or {}).items() if value}
        params |= {} if limit is None else {"limit": str(min(limit, LONGEST_PAGE))}
        found: list[T] = []
        for _ in range(MOST_PAGES):
            page = self._get(path, params=params)
            found += self._read(shape, page)
            goes_on = NEXT_PAGE.search(page.headers.get("Link", ""))
            start = httpx.QueryParams(goes_on["query"]).get(place) if goes_on else None
            if start is None or (limit is not None and len(found) >= limit):
                return found[:limit]
            params[place] = start
        raise self._not_ours()

    def _poll(self, path: str, after: int | None, seconds: float) -> Reply:
        params = {"timeout": str(seconds)} | ({} if after is None else {"after": str(after)})
        return self._get(path, params=params, timeout=_poll_timeout(seconds))

    def _post(
        self,
        path: str,
        body: dict[str, Any] | bytes,
        key: str = "",
        kind: str = "application/json",
        params: dict[str, str] | None = None,
        **options: Any,
    ) -> Reply:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Idempotency-Key": key or uuid.uuid4().hex, "Content-Type": kind}
        return self._send("POST", path, content=content, headers=headers, params=params or {}, **options)

    def _make(self, path: str, wanted: Model) -> Reply:
        """POST for something that can be read only once; never sent again, as what a lost reply held is of no use."""
        headers = {"Content-Type": "application/json"}
        return self._send("POST", path, again=False, content=wanted.model_dump_json().encode(), headers=headers)

    def _post_policy(self, path: str, text: str, params: dict[str, Any]) -> Reply:
        written = {name: str(value).lower() for name, value in params.items() if value is not None}
        return self._post(path, text.encode(), kind="application/yaml", params=written)

    def _get(self, path: str, also: int = 0, **options: Any) -> Reply:
        return self._send("GET", path, also, **options)

    def _send(self, method: str, path: str, also: int = 0, again: bool = True, **options: Any) -> Reply:
        """Send; if `again`, once more after a lost connection: such POSTs have keys. `also`: a status that is fine."""
        for last in (False, True) if again else (True,):
            try:
                reply = self._once(method, path, options)
                break
            except httpx.RequestError as error:
                if last or not isinstance(error, LOST):
                    raise self._no_answer(error) from None
        if reply.status == also or HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            return reply
        raise self._error(reply)

    def _once(self, method: str, path: str, options: dict[str, Any]) -> Reply:
        body = bytearray()
        with self._http.stream(method, path, **options) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > LARGEST_ANSWER_BYTES:
                    raise Unavailable(f"{self.url} sent more than {LARGEST_ANSWER_BYTES} bytes; the rest was not read.")
        try:
            return Reply(response.status_code, response.headers, _harmless(json.loads(body)))
        except (ValueError, RecursionError):
            return Reply(response.status_code, response.headers, None)

    def _read(self, shape: type[T], reply: Reply) -> T:
        try:
            return TypeAdapter(shape).validate_python(reply.json, extra="ignore")
        except ValidationError:
            raise self._not_ours() from None

    def _error(self, reply: Reply) -> CountersignError:
        problem = reply.json if isinstance(reply.json, dict) else {}
        message = str(problem.get("detail") or problem.get("title") or "")
        if not message:
            return self._not_ours()
        if reply.status == HTTPStatus.UNAUTHORIZED:
            if not self.sends_token:
                return NotAllowed(LOG_IN, **_details(problem))
            return NotAllowed(f"{message} Then {self._remedies.set_it}.", **_details(problem))
        if isinstance(problem.get("problems"), list):
            return BadPolicy([str(one) for one in problem["problems"]])
        otherwise = Unavailable if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR else BadQuestion
        return ERRORS.get(reply.status, otherwise)(message, **_details(problem))

    def _not_ours(self) -> Unavailable:
        return Unavailable(f"What answers at {self.url} is not Countersign; set {self._remedies.url} to the portal.")

    def _no_answer(self, error: httpx.RequestError) -> Unavailable:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            why = re.sub(r"^\[Errno -?\d+\] ", "", without_controls(str(error))) or "no answer"
            remedy = CERTIFICATE if NOT_VERIFIED in why else f"Is the portal running? Set {self._remedies.url} to it."
            return Unavailable(f"{self.url} can't be reached ({why}). {remedy}")
        message = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "broke the connection off"
        return Unavailable(f"{self.url} {message}; try again.")


ERRORS: dict[int, type[CountersignError]] = {
    HTTPStatus.FORBIDDEN: NotAllowed,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Refused,
    HTTPStatus.TOO_MANY_REQUESTS: TooMany,
}


def _poll_timeout(seconds: float) -> httpx.Timeout:
    """The timeouts for an answer that may take this many seconds."""
    return httpx.Timeout(seconds + LATE_SECONDS, connect=CONNECT_SECONDS)


def _details(problem: dict[str, Any]) -> dict[str, Any]:
    """The code and the fields of a problem, in the form of `CountersignError.details`."""
    kind = str(problem.get("type", ""))
    code = kind.rpartition("/")[2] if kind.startswith(PROBLEM_TYPES) else ""
    return {"code": code, **{name: value for name, value in problem.items() if name not in (*STANDARD_MEMBERS, "code")}}


def trusted() -> ssl.SSLContext:
    """The authorities that the HTTP library trusts, and those of this machine, where a company adds its own."""
    context = httpx.create_ssl_context()
    context.load_default_certs()
    return context


def _checked(url: str, remedies: Remedies) -> httpx.URL:
    try:
        checked = httpx.URL(url.strip())
    except httpx.InvalidURL:
        checked = httpx.URL()
    # Credentials in the URL would be sent in place of the token, and be shown with every error.
    if checked.scheme not in {"http", "https"} or not checked.host or checked.userinfo or checked.query:
        raise BadQuestion(f"{remedies.url} must be the portal's address alone, such as https://access.example.com.")
    return checked


def _segment(typed: str) -> str:
    """An id that somebody typed, escaped for a path; "." and ".." would lead elsewhere."""
    return quote(typed, safe="").replace(".", "%2E")


def _plain(token: str) -> str:
    # The HTTP library's error for a header that it can't send would show its value.
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise BadQuestion("The token holds a character that no token has; copy it again.")
    return token


def is_loopback(host: str) -> bool:
    """Whether a connection to this host stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _harmless(value: Any) -> Any:
    """The same without control and direction characters, as it may be shown in a terminal."""
    if isinstance(value, str):
        return without_controls(value)
    if isinstance(value, list):
        return [_harmless(one) for one in value]
    if isinstance(value, dict):
        return {without_controls(name): _harmless(one) for name, one in value.items()}
    return value
