"""Logins of command lines, which a person allows in their browser."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "logins",
        sa.Column("device_hash", sa.String(64), primary_key=True),
        sa.Column("user_code", sa.String(16), nullable=False),
        sa.Column("machine", sa.String(100), nullable=False),
        sa.Column("source_address", sa.String(64), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("interval_seconds", sa.Integer, nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True)),
        sa.Column("person", sa.String(128), nullable=False, server_default=""),
        sa.Column("state", sa.String(16), nullable=False, server_default="waiting"),
    )
    op.create_index("logins_by_code", "logins", ["user_code"], unique=True)
    op.create_index("logins_by_source", "logins", ["source_address", "asked_at"])
    op.create_index("logins_by_end", "logins", ["ends_at"])
