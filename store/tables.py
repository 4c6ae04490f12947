"""Every table. Times are UTC; `events` is both the audit record and the one feed."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import (
    JSON,
    BigInteger,
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    bindparam,
    false,
    literal,
    text,
    true,
)

# The longest name of an account, person or gateway, or address of a stranger; a longer one may be cut.
LONGEST_WHO = 200
# The number of the first request, so that people see #1001 and not #1.
FIRST_APPROVAL_ID = 1001
# The beginning of the `person` of a notification to a room; no person's id begins with it.
ROOM = "#"
# For `shows`: what the message shows is not known. It is below the number of any transition.
NEVER_SHOWN = 0
# The same, and it will not be known after the next change either: an earlier one was given up and may be made later.
UNCERTAIN = -1

T = TypeVar("T")

metadata = MetaData()
# SQLite numbers rows by itself only in a column of type INTEGER.
Number = BigInteger().with_variant(Integer, "sqlite")


class Instant(TypeDecorator[datetime]):
    """An aware datetime in UTC. SQLite drops the zone; PostgreSQL returns the session's zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC again."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def as_written(value: T) -> BindParameter[T]:
    """A value written into the statement: only then does a database see that a partial index can be used.

    If all values are, PostgreSQL's driver asks the server once, else three times.
    """
    kind = Instant() if isinstance(value, datetime) else None
    return literal(value, kind, literal_execute=True)


def one_of(column: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    """The same for a list of values."""
    return column.in_(bindparam(None, list(values), expanding=True, literal_execute=True))


def among(column: ColumnElement[int], numbers: Collection[int] | None) -> ColumnElement[bool]:
    """A condition: one of these numbers, or any number if `numbers` is None."""
    return true() if numbers is None else column.in_(numbers)


def _index_where(name: str, condition: str, *columns: str, sqlite: str = "", unique: bool = False) -> Index:
    """A partial index: on the rows that fulfil a condition, such as what is open."""
    on_sqlite, on_postgres = text(sqlite or condition), text(condition)
    return Index(name, *columns, unique=unique, sqlite_where=on_sqlite, postgresql_where=on_postgres)


policies = Table(
    "policies",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("text", Text, nullable=False),  # as it was written
    Column("document", JSON, nullable=False),  # as it was understood
    Column("applied_by", String(200), nullable=False),
    Column("applied_at", Instant, nullable=False),
)

requests = Table(
    "requests",
    metadata,
    Column("approval_id", Number, primary_key=True),
    Column("workflow_id", String(1000), nullable=False),  # the longest that Temporal allows
    Column("run_id", String(100), nullable=False, unique=True),
    # The run that the tokens in its mails are signed with; empty for a request that opened before they were.
    Column("token_run", String(100), nullable=False, server_default=""),
    Column("started_at", Instant),  # when its run was started, by Temporal's clock; empty for old ones
    Column("question", JSON, nullable=False),
    Column("asked_by", String(LONGEST_WHO), nullable=False),  # who asked; empty for old ones, where that is not known
    Column("route", JSON, nullable=False),
    Column("requester", String(128), nullable=False),
    Column("device", String(128), key="target", nullable=False),
    Column("protocol", String(16), key="variant", nullable=False),
    Column("status", String(16), nullable=False),
    Column("words", Text, key="message", nullable=False),  # `words` in the database, in every table
    Column("level", Integer, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("deadline", Instant, nullable=False),
    Column("settled_at", Instant),
    Column("step", Integer, key="transition", nullable=False),  # the number of the last one
    Column("renews", Number),  # of a renewal: the request whose grant lasted when the renewal was asked for
    Index("requests_by_status", "status", "approval_id"),
    Index("requests_by_requester", "requester", "approval_id"),
    Index("requests_by_requester_and_status", "requester", "status", "approval_id"),
    Index("requests_by_device", "target", "variant", "approval_id"),
    Index("requests_by_target", "target", "approval_id"),
    Index("requests_by_deadline", "deadline"),
    _index_where("requests_waiting_by_deadline", "status = 'Waiting'", "status", "deadline", "approval_id"),
    sqlite_autoincrement=True,
)

# The keys of transitions: one that is written again is recognised by its key, whatever was written since.
transition_keys = Table(
    "steps",
    metadata,
    Column("approval_id", ForeignKey("requests.approval_id"), primary_key=True),
    Column("key", String(400), primary_key=True),
    Column("number", Integer, nullable=False),
)

approvers = Table(
    "approvers",
    metadata,
    Column("approval_id", ForeignKey("requests.approval_id"), primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("person", String(128), primary_key=True),
    Column("because", Text, nullable=False),
    Column("standing", String(16), key="availability", nullable=False),  # empty, away, unreachable or disabled
    Index("approvers_by_person", "person", "approval_id"),
)

answers = Table(
    "answers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("channel", String(32), nullable=False),
    Column("source_id", String(400), nullable=False),
    Column("approval_id", Number, nullable=False),
    Column("level", Integer, nullable=False),
    Column("person", String(128), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("comment", Text, nullable=False),
    Column("proof", JSON, nullable=False),
    Column("at", Instant, nullable=False),
    Column("state", String(16), nullable=False),  # open, accepted, refused or lapsed
    Column("words", Text, key="message", nullable=False),
    Column("details", JSON),  # of a refusal, for programs
    UniqueConstraint("channel", "source_id"),
    Index("answers_by_request", "approval_id", "at"),
    _index_where("answers_open", "state = 'open'", "at"),
)

# Counts of what is refused again and again: how many rows of it the record has, or would have, since a window began.
repeats = Table(
    "repeats",
    metadata,
    Column("what", String(700), primary_key=True),
    Column("approval_id", Number),
    Column("kind", String(32), nullable=False),
    Column("channel", String(32), nullable=False),
    Column("who", String(LONGEST_WHO), nullable=False),
    Column("begun_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("times", Integer, nullable=False),
    Index("repeats_by_begin", "begun_at"),
)

# Digests of input that decides nothing: delivered again, it is neither recorded nor answered.
rejected_input = Table(
    "turned_down",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("at", Instant, nullable=False),
    Index("turned_down_by_time", "at"),
)

notifications = Table(
    "notices",
    metadata,
    # <approval id>.<transition>.<event>.<person>.<channel>; about no request, it begins with "general" and a key.
    Column("id", String(200), primary_key=True),
    Column("approval_id", Number),
    Column("event", String(32), nullable=False),
    Column("level", Integer, nullable=False),
    Column("person", String(128), nullable=False),
    Column("channel", String(32), nullable=False),
    Column("words", Text, key="message", nullable=False),
    Column("in_reply_to", String(1000), nullable=False),
    Column("fields", JSON),  # what one about no request shows
    Column("state", String(16), nullable=False),  # waiting, sent, unreachable or moot
    Column("reference", String(1000), nullable=False),
    Column("written_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("retry_at", Instant, nullable=False),
    Column("held_until", Instant),  # until then a worker that sends it or changes its message holds it, and renews this
    Column("unconfirmed", Integer, nullable=False, server_default="0"),  # tries that may have got through
    Column("shows", Integer),  # the number of the transition that the message shows, if it is kept up to date
    Column("outdated", Boolean, nullable=False, server_default=false()),  # its request has moved on since
    Index("notices_by_request", "approval_id"),
    _index_where("notices_waiting", "state = 'waiting'", "retry_at"),
    _index_where("notices_unreachable", "state = 'unreachable'", "approval_id"),
    _index_where("notices_outdated", "outdated", "retry_at", sqlite="outdated = 1"),
    _index_where("notices_answering", "event IN ('help', 'answer_refused')", "person", "event", "written_at"),
)

grants = Table(
    "grants",
    metadata,
    Column("approval_id", ForeignKey("requests.approval_id"), primary_key=True),
    Column("requester", String(128), nullable=False),
    Column("device", String(128), key="target", nullable=False),
    Column("protocol", String(16), key="variant", nullable=False),
    Column("source_address", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("words", Text, key="message", nullable=False),
    # Who applied a new policy that revokes it, and why; the sweeper carries that out.
    Column("revoke_for", String(LONGEST_WHO), nullable=False, server_default=""),
    Column("revoke_words", Text, key="revoke_reason", nullable=False, server_default=""),
    Index("grants_by_question", "requester", "target", "variant", "status"),
    _index_where("grants_active", "status = 'Active'", "approval_id"),
    _index_where("grants_active_by_end", "status = 'Active'", "ends_at"),
)

events = Table(
    "events",
    metadata,
    Column("version", Number, primary_key=True, autoincrement=False),
    Column("approval_id", Number),
    Column("kind", String(32), nullable=False),
    Column("at", Instant, nullable=False),
    Column("who", String(LONGEST_WHO), nullable=False),
    Column("channel", String(32), nullable=False),
    Column("words", Text, key="detail", nullable=False),
    Column("proof", JSON, nullable=False),
    Index("events_by_request", "approval_id", "version"),
    # For searches of the record, as a row that is written late has the time at which its event happened.
    Index("events_by_time", "at", "version"),
    Index("events_by_person", "who", "at", "version"),
    Index("events_by_kind", "kind", "at", "version"),
)

# One row: the number of the last event. Its lock orders all writers, so events become visible in order, without gaps.
feed = Table("feed", metadata, Column("version", Number, primary_key=True, autoincrement=False))

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),  # person or gateway
    Column("owner", String(128), nullable=False),
    Column("is_admin", Boolean, nullable=False),
    Column("devices", JSON, nullable=False),
    Column("protocols", JSON, nullable=False),
    Column("label", String(100), nullable=False, server_default=""),  # what it is for, in its owner's words
    Column("created_at", Instant, nullable=False),
    Column("ends_at", Instant),  # when it ends by itself; empty if it doesn't
    Column("ended_at", Instant),
    Column("used_at", Instant),  # when last, to a minute
    Index("tokens_by_owner", "owner", "created_at", "id"),
    Index("tokens_by_creation", "created_at", "id"),
    Index("tokens_by_end", "ends_at"),
)

# Sessions of browsers. `hash` is that of the secret in the cookie.
sessions = Table(
    "sessions",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("person", String(128), nullable=False),
    Column("signed_in_by", String(32), nullable=False),
    Column("browser", String(200), nullable=False),  # as it calls itself
    Column("source_address", String(64), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("confirmed_at", Instant, nullable=False),  # when its person last proved who they are
    Column("ends_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("challenge", String(64)),  # that its browser has to answer with a passkey
    Column("challenge_ends_at", Instant),
    Index("sessions_by_person", "person", "started_at"),
    Index("sessions_by_start", "started_at", "id"),
    Index("sessions_by_end", "ends_at"),
)

# Sign-in links that were asked for. The secret in a link is not kept: it is signed with a key of the settings.
sign_ins = Table(
    "sign_ins",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("person", String(128), nullable=False),  # empty if nobody enabled has the address, or a provider signs in
    Column("browser_hash", String(64), nullable=False),  # of the secret in a cookie of the browser that asked
    Column("source_address", String(64), nullable=False),
    Column("go_to", String(2000), nullable=False),  # the page that is shown after signing in
    Column("asked_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("used_at", Instant),
    Index("sign_ins_by_person", "person", "asked_at"),
    Index("sign_ins_by_source", "source_address", "asked_at"),
    Index("sign_ins_by_end", "ends_at"),
)

# Browsers' sessions with web applications. `hash` is empty until the browser has come to the application's host with
# the code, once; then it is that of the secret in a cookie of that host.
application_sessions = Table(
    "application_sessions",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("code_hash", String(64), nullable=False),
    Column("code_ends_at", Instant, nullable=False),
    Column("browser_hash", String(64), nullable=False),  # of the secret in a cookie of the browser that may use it
    Column("hash", String(64), nullable=False, server_default=""),
    Column("host", String(260), nullable=False),  # with the port, unless it is that of https
    Column("session_id", String(16), nullable=False),  # of the person's session here
    Column("person", String(128), nullable=False),
    Column("approval_id", Number, nullable=False),  # whose grant lasted then
    Column("ends_at", Instant, nullable=False),
    Index("application_sessions_by_end", "ends_at"),
    _index_where("application_sessions_unused", "hash = ''", "code_ends_at"),
)

# The public halves of keys that people's devices hold.
passkeys = Table(
    "passkeys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("credential_id", Text, nullable=False),  # as its device calls it, in base64url
    Column("person", String(128), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("label", String(100), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("used_at", Instant),
    Index("passkeys_by_credential", "credential_id", unique=True),
    Index("passkeys_by_person", "person", "created_at"),
)

# Logins of command lines, which their person allows in a browser.
logins = Table(
    "logins",
    metadata,
    Column("device_hash", String(64), primary_key=True),  # of the secret that the program polls with
    Column("user_code", String(16), nullable=False),
    Column("machine", String(100), nullable=False),  # as it calls itself
    Column("source_address", String(64), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("interval_seconds", Integer, nullable=False),
    Column("polled_at", Instant),
    Column("person", String(128), nullable=False, server_default=""),
    Column("state", String(16), nullable=False, server_default="waiting"),  # allowed, denied, used
    Index("logins_by_code", "user_code", unique=True),
    Index("logins_by_source", "source_address", "asked_at"),
    Index("logins_by_end", "ends_at"),
)

# What people and machines connect with. Rows stay for ever, so that an address is never given to another.
registered_devices = Table(
    "registered_devices",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("person", String(128), nullable=False),  # empty for a machine
    Column("service_token", String(40), nullable=False, server_default=""),  # that it was enrolled by
    Column("provisioning_key", String(40), nullable=False, server_default=""),
    Column("key", String(120), nullable=False),  # base64
    Column("key_type", String(16), nullable=False),
    Column("serial", String(128), nullable=False),  # empty if it is not known
    Column("name", String(128), nullable=False),
    Column("fingerprint", JSON, nullable=False),  # the newest
    Column("approved_fingerprint", JSON),  # as it was when it was approved
    Column("registered_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("source_address", String(64), nullable=False),  # from which it registered last
    Column("first_source", String(64), nullable=False),  # and first
    # Empty until it is enrolled, then pending, approved or denied. The three below take precedence over it.
    Column("decision", String(16), nullable=False, server_default=""),
    Column("archived_at", Instant),
    Column("blocked_at", Instant),
    Column("revoked_at", Instant),
    Column("message", Text, nullable=False, server_default=""),  # of the last of these changes: why, and who made it
    Column("to_ask", Boolean, nullable=False, server_default=false()),  # a request has to be opened
    Column("justification", Text, nullable=False, server_default=""),
    Column("approval_id", Number),  # of the last request about it
    Column("rule", String(200), nullable=False, server_default=""),  # by which it was enrolled
    Column("identity", JSON),  # what was known of its person then
    Column("session_seconds", BigInteger),  # how long it may connect until it has to register again
    Column("session_ends_at", Instant),
    Column("address_number", Number, unique=True),
    Index("devices_by_person", "person", "serial"),
    Index("devices_by_key", "key"),
    Index("devices_by_serial", "serial"),
    Index("devices_by_service_token", "service_token"),
    _index_where("devices_listed", "archived_at IS NULL", "registered_at", "id"),
    _index_where("devices_archived", "archived_at IS NOT NULL", "registered_at", "id"),
    _index_where("devices_of_key", "archived_at IS NULL", "key", unique=True),
    _index_where("devices_to_ask", "to_ask", "last_seen_at", sqlite="to_ask = 1"),
    _index_where("devices_waiting_by_person", "decision IN ('', 'pending') AND archived_at IS NULL", "person"),
    _index_where("devices_waiting_by_source", "decision IN ('', 'pending') AND archived_at IS NULL", "first_source"),
    _index_where("devices_admitted", "decision = 'approved' AND archived_at IS NULL", "id"),
)

# What devices reported about themselves, each time that it changed.
fingerprints = Table(
    "fingerprints",
    metadata,
    Column("id", Number, primary_key=True),
    Column("device", ForeignKey("registered_devices.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("source_address", String(64), nullable=False),
    Column("fingerprint", JSON, nullable=False),
    Column("changed", JSON, nullable=False),
    Index("fingerprints_by_device", "device", "id"),
    sqlite_autoincrement=True,
)

# Credentials of machines. `hash` is that of the secret, under `salt`; `previous_hash` that of the secret before it.
service_tokens = Table(
    "service_tokens",
    metadata,
    Column("id", String(16), primary_key=True),  # the client id
    Column("name", String(100), nullable=False),
    Column("salt", String(32), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("previous_salt", String(32)),
    Column("previous_hash", String(64)),
    Column("previous_secret_ends_at", Instant),
    Column("created_by", String(LONGEST_WHO), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    Column("revoked_at", Instant),
    Column("used_at", Instant),  # when last, to a minute
    _index_where("service_tokens_lasting", "revoked_at IS NULL", "created_at", "id"),
    _index_where("service_tokens_in_use", "revoked_at IS NULL AND disabled_at IS NULL", "ends_at"),
)
provisioning_keys = Table(
    "provisioning_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("label", String(100), nullable=False),
    Column("salt", String(32), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("person", String(128), nullable=False),  # who will own the devices
    Column("devices", Integer, nullable=False),  # how many may register
    Column("used", Integer, nullable=False),  # how many have
    Column("skips_approval", Boolean, nullable=False),
    Column("created_by", String(LONGEST_WHO), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("used_at", Instant),  # when last sent, to a minute
    _index_where("provisioning_keys_lasting", "ended_at IS NULL", "created_at", "id"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("token_id", String(16), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("reply", JSON),
    Column("at", Instant, nullable=False),
    Index("idempotency_by_time", "at"),
)

mails = Table(
    "mails",
    metadata,
    Column("mailbox", String(200), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("message_id", String(1000), nullable=False),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),  # claimed, handled or quarantined
    Column("why", Text, nullable=False),
    Column("claimed_until", Instant, nullable=False),
    Index("mails_by_time", "claimed_until"),
    _index_where("mails_quarantined", "state = 'quarantined'", "claimed_until"),
)

inboxes = Table(
    "mailboxes",
    metadata,
    Column("mailbox", String(200), key="inbox", primary_key=True),
    Column("read_through", Instant, nullable=False),
    # Since when somebody has tried to read it without a pause, successfully or not, and when last.
    Column("looking_since", Instant),
    Column("looked_at", Instant),
)

signals = Table(
    "signals",
    metadata,
    Column("id", Number, primary_key=True),
    Column("person", String(128), nullable=False),
    Column("approval_id", Number),
    Column("signal", String(16), nullable=False),  # away or unreachable
    Column("words", Text, key="detail", nullable=False),
    Column("at", Instant, nullable=False),
    Index("signals_by_request", "approval_id", "person"),
    Index("signals_by_time", "at"),
    sqlite_autoincrement=True,
)

# One row for each process of `worker.py`, which renews it every few seconds.
workers = Table(
    "workers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("host", String(200), nullable=False),  # its machine and process id, for people
    Column("channels", JSON, nullable=False),  # the names of the channels that it can send by
    Column("version", String(40), nullable=False, server_default=""),
    Column("task_queue", String(200), nullable=False, server_default=""),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),  # by the database's clock
    Column("ahead_seconds", Float, nullable=False, server_default="0"),  # how far its clock is ahead of the database's
    Column("ended_at", Instant),
    Index("workers_by_seen_at", "seen_at"),
)

# Authorities whose client certificates are trusted, for which host names. `key_id` is the SHA-256 of their public key:
# their revocations are stored under it, to outlast the renewal of their certificate, and its removal here.
certificate_authorities = Table(
    "certificate_authorities",
    metadata,
    Column("id", String(16), primary_key=True),  # the beginning of `sha256`
    Column("key_id", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("name", String(200), nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("hosts", JSON, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("added_by", String(LONGEST_WHO), nullable=False),
    Column("added_at", Instant, nullable=False),
)

# The newest list of each authority, whose signature was verified.
revocation_lists = Table(
    "revocation_lists",
    metadata,
    Column("key_id", String(64), primary_key=True),
    Column("der", LargeBinary, nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("revoked", Integer, nullable=False),  # how many
    Column("added_by", String(LONGEST_WHO), nullable=False),
    Column("added_at", Instant, nullable=False),
)

# Certificates that admins revoked here, seen or not.
revoked_certificates = Table(
    "revoked_certificates",
    metadata,
    Column("key_id", String(64), primary_key=True),
    Column("serial", String(40), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("revoked_by", String(LONGEST_WHO), nullable=False),
    Column("revoked_at", Instant, nullable=False),
)

# Certificates that were valid when they were presented.
client_certificates = Table(
    "client_certificates",
    metadata,
    Column("sha256", String(64), key="id", primary_key=True),
    Column("key_id", String(64), nullable=False),
    Column("serial", String(40), nullable=False),
    Column("common_name", String(200), nullable=False),
    Column("authority", String(200), nullable=False),  # the name of its issuer
    Column("ends_at", Instant, nullable=False),
    Column("first_seen_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),  # to a minute
    Index("client_certificates_by_serial", "serial"),
    Index("client_certificates_by_time", "first_seen_at", "id"),
    Index("client_certificates_by_end", "ends_at"),
)

# Each lets one RDP connection of a grant's requester through a gate, once, within minutes.
rdp_tokens = Table(
    "rdp_tokens",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("approval_id", ForeignKey("requests.approval_id"), nullable=False),
    Column("source_address", String(64), nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("used_at", Instant),
    Index("rdp_tokens_by_end", "ends_at"),
)
