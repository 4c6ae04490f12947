"""Read a gateway's requests, and the grants whose time is over, along an index."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ACTIVE = sa.text("status = 'Active'")


def upgrade() -> None:
    """Apply."""
    op.drop_index("requests_by_device", "requests")
    op.create_index("requests_by_device", "requests", ["device", "protocol", "approval_id"])
    op.create_index("grants_active_by_end", "grants", ["ends_at"], sqlite_where=ACTIVE, postgresql_where=ACTIVE)
