"""Know since when a mailbox has been looked at, and when last, also while it can't be read."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("mailboxes", sa.Column("looking_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("mailboxes", sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True))
