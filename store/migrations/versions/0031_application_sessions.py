"""Where browsers have a web application open; and longer addresses of pages to show after signing in."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "application_sessions",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("code_ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("browser_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False, server_default=""),
        sa.Column("host", sa.String(260), nullable=False),
        sa.Column("session_id", sa.String(16), nullable=False),
        sa.Column("person", sa.String(128), nullable=False),
        sa.Column("approval_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("application_sessions_by_end", "application_sessions", ["ends_at"])
    with op.batch_alter_table("sign_ins") as sign_ins:
        sign_ins.alter_column("go_to", existing_type=sa.String(400), type_=sa.String(2000), existing_nullable=False)
