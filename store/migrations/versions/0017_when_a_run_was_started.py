"""Keep when the workflow of a request was started, so that an older one that opens late is known as such."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("requests", sa.Column("started_at", sa.DateTime(timezone=True), nullable=True))
