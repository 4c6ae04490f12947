"""Know of each worker its version and task queue, whether it ended, and how far its clock is off the database's."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("workers", sa.Column("version", sa.String(40), nullable=False, server_default=""))
    op.add_column("workers", sa.Column("task_queue", sa.String(200), nullable=False, server_default=""))
    op.add_column("workers", sa.Column("ahead_seconds", sa.Float(), nullable=False, server_default="0"))
    op.add_column("workers", sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
