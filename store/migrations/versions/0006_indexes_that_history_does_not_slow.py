"""Find what is open, due or outdated without reading what is long over."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OUTDATED = """
UPDATE notices SET outdated = :yes WHERE shows IS NOT NULL AND EXISTS (
    SELECT 1 FROM requests WHERE requests.approval_id = notices.approval_id AND requests.step > notices.shows
)
"""


def upgrade() -> None:
    """Apply."""
    op.add_column("notices", sa.Column("outdated", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.get_bind().execute(sa.text(OUTDATED), {"yes": True})
    for name, table in (
        ("answers_by_request", "answers"),
        ("answers_by_state", "answers"),
        ("notices_by_state", "notices"),
        ("notices_by_shows", "notices"),
        ("signals_by_person", "signals"),
    ):
        op.drop_index(name, table)
    op.create_index("answers_by_request", "answers", ["approval_id", "at"])
    op.create_index("requests_by_requester_and_status", "requests", ["requester", "status", "approval_id"])
    op.create_index("requests_by_device", "requests", ["device", "approval_id"])
    op.create_index("requests_by_deadline", "requests", ["deadline"])
    op.create_index("signals_by_request", "signals", ["approval_id", "person"])
    for name, table, columns, where in (
        ("answers_open", "answers", ["at"], "state = 'open'"),
        ("notices_waiting", "notices", ["retry_at"], "state = 'waiting'"),
        ("notices_unreachable", "notices", ["approval_id"], "state = 'unreachable'"),
        ("notices_answering", "notices", ["person", "event", "written_at"], "event IN ('help', 'answer_refused')"),
        ("grants_active", "grants", ["approval_id"], "status = 'Active'"),
    ):
        op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_index(
        "notices_outdated",
        "notices",
        ["retry_at"],
        sqlite_where=sa.text("outdated = 1"),
        postgresql_where=sa.text("outdated"),
    )
