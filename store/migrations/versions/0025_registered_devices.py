"""The devices that people and machines connect with, and what they said of themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

WAITS = "decision IN ('', 'pending') AND archived_at IS NULL"


def upgrade() -> None:
    """Apply."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "registered_devices",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("person", sa.String(128), nullable=False),
        sa.Column("service_token", sa.String(40), nullable=False, server_default=""),
        sa.Column("provisioning_key", sa.String(40), nullable=False, server_default=""),
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("key_type", sa.String(16), nullable=False),
        sa.Column("serial", sa.String(128), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("fingerprint", sa.JSON, nullable=False),
        sa.Column("approved_fingerprint", sa.JSON),
        sa.Column("registered_at", instant, nullable=False),
        sa.Column("last_seen_at", instant, nullable=False),
        sa.Column("source_address", sa.String(64), nullable=False),
        sa.Column("first_source", sa.String(64), nullable=False),
        sa.Column("decision", sa.String(16), nullable=False, server_default=""),
        sa.Column("archived_at", instant),
        sa.Column("blocked_at", instant),
        sa.Column("revoked_at", instant),
        sa.Column("message", sa.Text, nullable=False, server_default=""),
        sa.Column("to_ask", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("justification", sa.Text, nullable=False, server_default=""),
        sa.Column("approval_id", number),
        sa.Column("rule", sa.String(200), nullable=False, server_default=""),
        sa.Column("identity", sa.JSON),
        sa.Column("session_seconds", sa.BigInteger),
        sa.Column("session_ends_at", instant),
        sa.Column("address_number", number, unique=True),
    )
    op.create_index("devices_by_person", "registered_devices", ["person", "serial"])
    op.create_index("devices_by_key", "registered_devices", ["key"])
    op.create_index("devices_by_serial", "registered_devices", ["serial"])
    op.create_index("devices_by_service_token", "registered_devices", ["service_token"])
    _index_where("devices_listed", "archived_at IS NULL", "registered_at", "id")
    _index_where("devices_archived", "archived_at IS NOT NULL", "registered_at", "id")
    _index_where("devices_of_key", "archived_at IS NULL", "key", unique=True)
    _index_where("devices_to_ask", "to_ask", "last_seen_at", sqlite="to_ask = 1")
    _index_where("devices_waiting_by_person", WAITS, "person")
    _index_where("devices_waiting_by_source", WAITS, "first_source")
    _index_where("devices_admitted", "decision = 'approved' AND archived_at IS NULL", "id")
    op.create_table(
        "fingerprints",
        sa.Column("id", number, primary_key=True),
        sa.Column("device", sa.String(16), sa.ForeignKey("registered_devices.id"), nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("source_address", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.JSON, nullable=False),
        sa.Column("changed", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("fingerprints_by_device", "fingerprints", ["device", "id"])


def _index_where(name: str, condition: str, *columns: str, sqlite: str = "", unique: bool = False) -> None:
    on_sqlite, on_postgres = sa.text(sqlite or condition), sa.text(condition)
    op.create_index(
        name, "registered_devices", list(columns), unique=unique, sqlite_where=on_sqlite, postgresql_where=on_postgres
    )
