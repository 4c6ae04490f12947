"""Know which messages are kept up to date, and what each of them shows."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("notices", sa.Column("shows", sa.Integer(), nullable=True))
    op.create_index("notices_by_shows", "notices", ["shows"])
