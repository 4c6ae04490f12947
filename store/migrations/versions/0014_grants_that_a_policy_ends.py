"""Note which grants a new policy ends, for whom and why."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("grants", sa.Column("revoke_for", sa.String(200), server_default="", nullable=False))
    op.add_column("grants", sa.Column("revoke_words", sa.Text(), server_default="", nullable=False))
