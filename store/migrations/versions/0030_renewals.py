"""Which request's grant a renewal goes on after."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("requests", sa.Column("renews", sa.BigInteger().with_variant(sa.Integer, "sqlite")))
