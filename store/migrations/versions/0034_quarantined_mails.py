"""Find the mails that were quarantined along an index."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    quarantined = sa.text("state = 'quarantined'")
    op.create_index(
        "mails_quarantined", "mails", ["claimed_until"], sqlite_where=quarantined, postgresql_where=quarantined
    )
