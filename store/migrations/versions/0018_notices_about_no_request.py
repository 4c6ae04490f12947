"""Let a notice be about no request, and keep what such a one shows."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("notices") as notices:
        notices.add_column(sa.Column("fields", sa.JSON(), nullable=True))
        notices.alter_column("approval_id", existing_type=sa.BigInteger(), nullable=True)
