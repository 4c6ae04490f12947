"""Find what need not be kept any longer without reading what must be."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("mails_by_time", "mails", ["claimed_until"])
    op.create_index("turned_down_by_time", "turned_down", ["at"])
    op.create_index("signals_by_time", "signals", ["at"])
    op.create_index("idempotency_by_time", "idempotency", ["at"])
