"""Sign tokens with the run of their request, so that a number given out again makes others."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("requests", sa.Column("token_run", sa.String(length=100), nullable=False, server_default=""))
