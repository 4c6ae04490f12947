"""Know the steps that were written by what they are."""

import sqlalchemy as sa
from alembic import op

from store.tables import Number

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "steps",
        sa.Column("approval_id", Number, nullable=False),
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["approval_id"], ["requests.approval_id"]),
        sa.PrimaryKeyConstraint("approval_id", "key"),
    )
