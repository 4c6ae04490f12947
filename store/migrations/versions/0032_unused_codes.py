"""An index of the codes that lead back to web applications and were not used, so that they are soon forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    unused = sa.text("hash = ''")
    op.create_index(
        "application_sessions_unused",
        "application_sessions",
        ["code_ends_at"],
        sqlite_where=unused,
        postgresql_where=unused,
    )
