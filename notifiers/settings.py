"""The settings that all channels read; each has a section of its own beside its code."""

from pydantic import BaseModel


class ChannelSettings(BaseModel):
    """What every message names, and where it links to."""

    instance_name: str = "Countersign"
    public_url: str = ""
