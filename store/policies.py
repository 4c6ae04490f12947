"""The policy and directory, one version after another; each process parses a version once."""

from datetime import UTC, datetime

from sqlalchemy import Connection, func, insert, select

from countersign import policy_file
from countersign.directory import Policy
from countersign.errors import Refused
from countersign.steps import Line
from store.database import Database
from store.events import append
from store.tables import policies

NO_POLICY = "No policy has been applied yet: write one and run `countersign policy apply FILE`."


class Policies:
    """The versions of the policy, and the one in force."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._known: tuple[int, Policy] | None = None

    def apply(self, text: str, who: str) -> int:
        """Check a policy file and put it in force as a new version; BadPolicy names every error."""
        document = policy_file.load(text).model_dump(mode="json")
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            append(connection, None, [])  # takes the feed's lock, so that two who apply at once get a version each
            version = (connection.execute(select(func.max(policies.c.version))).scalar_one() or 0) + 1
            row = {"version": version, "text": text, "document": document, "applied_by": who, "applied_at": now}
            connection.execute(insert(policies).values(row))
            append(connection, None, [Line(kind="policy_applied", at=now, who=who, words=f"policy version {version}")])
        return version

    def text(self) -> tuple[int, str]:
        """The version in force, as it was written."""
        newest = select(policies.c.version, policies.c.text).order_by(policies.c.version.desc()).limit(1)
        with self.database.reading() as connection:
            row = connection.execute(newest).one_or_none()
        if row is None:
            raise Refused(NO_POLICY)
        return row.version, row.text

    def current(self) -> tuple[int, Policy]:
        """The version in force; Refused when there is none."""
        with self.database.reading() as connection:
            return self.in_force(connection)

    def in_force(self, connection: Connection) -> tuple[int, Policy]:
        """The same, within a transaction."""
        version = connection.execute(select(func.max(policies.c.version))).scalar_one()
        if version is None:
            raise Refused(NO_POLICY)
        if self._known is None or self._known[0] != version:
            document = connection.execute(select(policies.c.document).where(policies.c.version == version)).scalar_one()
            self._known = version, Policy.model_validate(document)
        return self._known
