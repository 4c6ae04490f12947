"""List the requests for a device, by whatever protocol, along an index."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("requests_by_target", "requests", ["device", "approval_id"])
