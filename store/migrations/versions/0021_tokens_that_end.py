"""Tokens that end by themselves, what each is for, and when it was last used; and indexes for lists, newest first."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("tokens", sa.Column("label", sa.String(100), nullable=False, server_default=""))
    op.add_column("tokens", sa.Column("ends_at", sa.DateTime(timezone=True)))
    op.add_column("tokens", sa.Column("used_at", sa.DateTime(timezone=True)))
    op.create_index("tokens_by_owner", "tokens", ["owner", "created_at", "id"])
    op.create_index("tokens_by_creation", "tokens", ["created_at", "id"])
    op.create_index("tokens_by_end", "tokens", ["ends_at"])
    op.create_index("sessions_by_start", "sessions", ["started_at", "id"])
