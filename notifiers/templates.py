"""Where all channels find their words."""

from functools import cache
from pathlib import Path

from jinja2 import FileSystemLoader

FOLDER = Path(__file__).resolve().parents[1] / "templates"


@cache
def loader(channel: str) -> FileSystemLoader:
    """Finds the templates of a channel, in the folders of its `searchpath`."""
    return FileSystemLoader(FOLDER / channel)
