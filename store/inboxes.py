"""How far each inbox was read, and which mails were handled; one watcher at a time claims a mail."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, case, delete, select, update

from countersign.notifications import MailRef
from store.database import StorePart, insert_new, insert_or_change, reads
from store.tables import as_written, inboxes, mails

# Whoever tries to read an inbox notes that more often than this, except while waiting for the server.
LONGEST_GAP = timedelta(seconds=30)
NEVER_READ = datetime.fromtimestamp(0, UTC)


def inboxes_behind(connection: Connection, moment: datetime) -> Sequence[Row[Any]]:
    """The inboxes that were not read up to a moment yet."""
    return connection.execute(select(inboxes).where(inboxes.c.read_through < as_written(moment))).all()


class Inboxes(StorePart):
    """What the readers of inboxes need to have stored. Each call is one transaction."""

    def claim(self, mail: MailRef, lease: timedelta) -> Literal["ours", "elsewhere", "handled", "quarantined"]:
        """Claim a mail: only one caller gets `ours`, until it marks or releases the mail, or its lease is over."""
        now = datetime.now(UTC)
        row = {
            "mailbox": mail.mailbox,
            "digest": mail.digest,
            "message_id": mail.message_id[:1000],
            "uidvalidity": mail.uidvalidity,
            "uid": mail.uid,
            "state": "claimed",
            "why": "",
            "claimed_until": now + lease,
        }
        late = self._is(mail) & (mails.c.state == "claimed") & (mails.c.claimed_until < now)
        with self.database.transaction() as connection:
            new = insert_new(connection, mails, row)
            if new or connection.execute(update(mails).where(late).values(row)).rowcount:
                return "ours"
            state = connection.execute(select(mails.c.state).where(self._is(mail))).scalar_one()
        return "elsewhere" if state == "claimed" else "handled" if state == "handled" else "quarantined"

    def release(self, mail: MailRef) -> None:
        """Give a claim back."""
        with self.database.transaction() as connection:
            connection.execute(delete(mails).where(self._is(mail), mails.c.state == "claimed"))

    def mark_handled(self, mail: MailRef, disposition: str, why: str = "") -> None:
        """Record for good how a mail ended: `handled` or `quarantined`."""
        with self.database.transaction() as connection:
            connection.execute(update(mails).where(self._is(mail)).values(state=disposition, why=why))

    @reads
    def quarantined(self, since: datetime) -> list[tuple[str, int, str]]:
        """The inboxes with mails that were quarantined since a moment, how many, and why the latest was."""
        ours = (mails.c.claimed_until > since) & (mails.c.state == as_written("quarantined"))
        query = select(mails.c.mailbox, mails.c.why).where(ours).order_by(mails.c.claimed_until)
        with self.database.reading() as connection:
            found = connection.execute(query).all()
        whys: dict[str, list[str]] = {}
        for mailbox, why in found:
            whys.setdefault(mailbox, []).append(why)
        return [(mailbox, len(each), each[-1]) for mailbox, each in whys.items()]

    def read_through(self, inbox: str, at: datetime) -> None:
        """Note that everything that had arrived before `at` has been dealt with."""
        read = {"read_through": at}
        with self.database.transaction() as connection:
            insert_or_change(connection, inboxes, {"inbox": inbox, **read}, read)

    def looking(self, inbox: str, at: datetime) -> None:
        """Note that somebody looks at the inbox now, whether or not it can read it.

        If nobody did for LONGEST_GAP, `looking_since` begins anew: nobody was there meanwhile.
        """
        row = {"inbox": inbox, "read_through": NEVER_READ, "looking_since": at, "looked_at": at}
        goes_on = inboxes.c.looked_at > at - LONGEST_GAP
        since = case((goes_on, inboxes.c.looking_since), else_=at)
        with self.database.transaction() as connection:
            insert_or_change(connection, inboxes, row, {"looking_since": since, "looked_at": at})

    def keep_only(self, names: list[str]) -> None:
        """Forget how far other inboxes were read: nobody reads them any more, so no expiry waits for them."""
        with self.database.transaction() as connection:
            connection.execute(delete(inboxes).where(inboxes.c.inbox.not_in(names)))

    @staticmethod
    def _is(mail: MailRef):  # type: ignore[no-untyped-def]
        return (mails.c.mailbox == mail.mailbox) & (mails.c.digest == mail.digest)
