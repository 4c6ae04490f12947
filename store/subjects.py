"""The columns for what is asked for, by which gateways find requests and grants."""

from countersign.models import Subject

# In the database they are called `device` and `protocol`.
SUBJECT_COLUMNS = ("target", "variant")


def columns_of(subject: Subject) -> dict[str, str]:
    """The values of these columns for a subject; one without a variant is in no gateway's scope."""
    return {name: getattr(subject, name) for name in SUBJECT_COLUMNS}
