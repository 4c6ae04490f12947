"""List what waits for somebody's answer, the most urgent first, along an index."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    waiting = sa.text("status = 'Waiting'")
    op.create_index(
        "requests_waiting_by_deadline",
        "requests",
        ["status", "deadline", "approval_id"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
