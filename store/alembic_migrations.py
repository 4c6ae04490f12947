"""Applies the migrations, with Alembic."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from store.migrate import FOLDER


def config() -> Config:
    """Alembic's settings, without a file."""
    settings = Config()
    settings.set_main_option("script_location", str(FOLDER))
    settings.set_main_option("path_separator", "os")
    return settings


def upgrade(connection: Connection) -> None:
    """Apply those that are missing, within a transaction."""
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")
