"""Search the record by time, person and kind along indexes."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("events_by_time", "events", ["at", "version"])
    op.create_index("events_by_person", "events", ["who", "at", "version"])
    op.create_index("events_by_kind", "events", ["kind", "at", "version"])
