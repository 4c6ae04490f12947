"""Passkeys, and the challenge that a session's browser has to answer with one."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "passkeys",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("credential_id", sa.Text, nullable=False),
        sa.Column("person", sa.String(128), nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
    )
    op.create_index("passkeys_by_credential", "passkeys", ["credential_id"], unique=True)
    op.create_index("passkeys_by_person", "passkeys", ["person", "created_at"])
    op.add_column("sessions", sa.Column("challenge", sa.String(64)))
    op.add_column("sessions", sa.Column("challenge_ends_at", sa.DateTime(timezone=True)))
