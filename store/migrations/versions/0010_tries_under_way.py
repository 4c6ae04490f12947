"""Know which notices are on their way, and which of them may have got through unseen."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("notices", sa.Column("held_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("notices", sa.Column("unconfirmed", sa.Integer(), nullable=False, server_default="0"))
