"""The first tables."""

import sqlalchemy as sa
from alembic import op

from store.tables import Instant, Number

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "answers",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("source_id", sa.String(length=400), nullable=False),
        sa.Column("approval_id", Number, nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(length=128), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("proof", sa.JSON(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("channel", "source_id"),
    )
    op.create_index("answers_by_request", "answers", ["approval_id"])
    op.create_index("answers_by_state", "answers", ["state", "at"])

    op.create_table(
        "events",
        sa.Column("version", Number, autoincrement=False, nullable=False),
        sa.Column("approval_id", Number, nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("proof", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("version"),
    )
    op.create_index("events_by_request", "events", ["approval_id", "version"])

    op.create_table(
        "feed", sa.Column("version", Number, autoincrement=False, nullable=False), sa.PrimaryKeyConstraint("version")
    )
    op.create_table(
        "idempotency",
        sa.Column("token_id", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("reply", sa.JSON(), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("token_id", "key"),
    )
    op.create_table(
        "mailboxes",
        sa.Column("mailbox", sa.String(length=200), nullable=False),
        sa.Column("read_through", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox"),
    )
    op.create_table(
        "mails",
        sa.Column("mailbox", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=1000), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("claimed_until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "digest"),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("approval_id", Number, nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(length=128), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("in_reply_to", sa.String(length=1000), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.String(length=1000), nullable=False),
        sa.Column("written_at", Instant(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("retry_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("notices_by_request", "notices", ["approval_id"])
    op.create_index("notices_by_state", "notices", ["state", "retry_at"])

    op.create_table(
        "policies",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("applied_by", sa.String(length=200), nullable=False),
        sa.Column("applied_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("version"),
    )
    op.create_table(
        "requests",
        sa.Column("approval_id", Number, nullable=False),
        sa.Column("workflow_id", sa.String(length=1000), nullable=False),
        sa.Column("run_id", sa.String(length=100), nullable=False),
        sa.Column("question", sa.JSON(), nullable=False),
        sa.Column("route", sa.JSON(), nullable=False),
        sa.Column("requester", sa.String(length=128), nullable=False),
        sa.Column("device", sa.String(length=128), nullable=False),
        sa.Column("protocol", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("deadline", Instant(), nullable=False),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("approval_id"),
        sa.UniqueConstraint("run_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("requests_by_requester", "requests", ["requester", "approval_id"])
    op.create_index("requests_by_status", "requests", ["status", "approval_id"])

    op.create_table(
        "signals",
        sa.Column("id", Number, nullable=False),
        sa.Column("person", sa.String(length=128), nullable=False),
        sa.Column("approval_id", Number, nullable=True),
        sa.Column("signal", sa.String(length=16), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("signals_by_person", "signals", ["person", "signal"])

    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("devices", sa.JSON(), nullable=False),
        sa.Column("protocols", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "approvers",
        sa.Column("approval_id", Number, nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(length=128), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("standing", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["approval_id"],
            ["requests.approval_id"],
        ),
        sa.PrimaryKeyConstraint("approval_id", "level", "person"),
    )
    op.create_index("approvers_by_person", "approvers", ["person", "approval_id"])

    op.create_table(
        "grants",
        sa.Column("approval_id", Number, nullable=False),
        sa.Column("requester", sa.String(length=128), nullable=False),
        sa.Column("device", sa.String(length=128), nullable=False),
        sa.Column("protocol", sa.String(length=16), nullable=False),
        sa.Column("source_address", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("starts_at", Instant(), nullable=False),
        sa.Column("ends_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["approval_id"],
            ["requests.approval_id"],
        ),
        sa.PrimaryKeyConstraint("approval_id"),
    )
    op.create_index("grants_by_question", "grants", ["requester", "device", "protocol", "status"])

    op.execute("INSERT INTO feed (version) VALUES (0)")
    first = "INSERT INTO sqlite_sequence (name, seq) VALUES ('requests', 1000)"
    if op.get_bind().dialect.name != "sqlite":
        first = "ALTER SEQUENCE requests_approval_id_seq RESTART WITH 1001"
    op.execute(first)


def downgrade() -> None:
    """Take back."""

    op.drop_table("grants")

    op.drop_table("approvers")
    op.drop_table("tokens")

    op.drop_table("signals")

    op.drop_table("requests")
    op.drop_table("policies")

    op.drop_table("notices")
    op.drop_table("mails")
    op.drop_table("mailboxes")
    op.drop_table("idempotency")
    op.drop_table("feed")

    op.drop_table("events")

    op.drop_table("answers")
