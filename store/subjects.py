"""The columns for what is asked for: its key, and for gateways the parts of a connection."""

from countersign.models import Subject

# Gateways find connections by these; they are empty for other kinds, which no gateway sees.
CONNECTION_COLUMNS = ("device", "protocol")


def columns_of(subject: Subject) -> dict[str, str]:
    """The values of these columns for a subject."""
    is_connection = set(CONNECTION_COLUMNS) <= subject.fields.keys()
    return {name: subject.fields[name] if is_connection else "" for name in CONNECTION_COLUMNS}
