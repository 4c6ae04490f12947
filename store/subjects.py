"""The columns for what is asked for: by these gateways find requests and grants."""

from countersign.models import Subject

# In the database they are called `device` and `protocol`.
SUBJECT_COLUMNS = ("target", "variant")


def columns_of(subject: Subject) -> dict[str, str]:
    """The values of these columns for a subject: empty for one that no gateway asks for, so that none sees it."""
    return {name: getattr(subject, name) if subject.variant else "" for name in SUBJECT_COLUMNS}
