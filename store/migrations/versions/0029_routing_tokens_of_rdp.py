"""Routing tokens, by which a gate for RDP knows whose connection it is."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "rdp_tokens",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("approval_id", NUMBER, sa.ForeignKey("requests.approval_id"), nullable=False),
        sa.Column("source_address", sa.String(64), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
    )
    op.create_index("rdp_tokens_by_end", "rdp_tokens", ["ends_at"])
