"""Service tokens, and keys with which many machines register."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def _at(name: str, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _lasting(table: str, condition: str) -> None:
    op.create_index(
        f"{table}_lasting",
        table,
        ["created_at", "id"],
        sqlite_where=sa.text(condition),
        postgresql_where=sa.text(condition),
    )


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "service_tokens",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("previous_salt", sa.String(32)),
        sa.Column("previous_hash", sa.String(64)),
        _at("previous_secret_ends_at"),
        sa.Column("created_by", sa.String(200), nullable=False),
        _at("created_at", nullable=False),
        _at("ends_at", nullable=False),
        _at("disabled_at"),
        _at("revoked_at"),
        _at("used_at"),
    )
    op.create_table(
        "provisioning_keys",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("person", sa.String(128), nullable=False),
        sa.Column("devices", sa.Integer, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
        sa.Column("skips_approval", sa.Boolean, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        _at("created_at", nullable=False),
        _at("ends_at", nullable=False),
        _at("ended_at"),
        _at("used_at"),
    )
    _lasting("service_tokens", "revoked_at IS NULL")
    _lasting("provisioning_keys", "ended_at IS NULL")
    in_use = sa.text("revoked_at IS NULL AND disabled_at IS NULL")
    op.create_index(
        "service_tokens_in_use", "service_tokens", ["ends_at"], sqlite_where=in_use, postgresql_where=in_use
    )
