"""How rows tell what is asked for: by its key, and for gateways by what a connection is made of."""

from countersign.models import Subject

# Gateways find connections by these; of any other kind they are empty, and no gateway sees it.
CONNECTION_COLUMNS = ("device", "protocol")


def columns_of(subject: Subject) -> dict[str, str]:
    """What a subject fills in of these columns."""
    is_connection = set(CONNECTION_COLUMNS) <= subject.fields.keys()
    return {name: subject.fields[name] if is_connection else "" for name in CONNECTION_COLUMNS}
