"""Know who asked for a request: the requester, or an admin or gateway for them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("requests", sa.Column("asked_by", sa.String(length=200), nullable=False, server_default=""))
