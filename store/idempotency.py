"""Replies to POSTs with an `Idempotency-Key`: one caller claims the key and makes the reply, repeats get the same."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, select, update

from store.database import StorePart, insert_new, reads
from store.tables import idempotency

Reply = dict[str, Any]


class Idempotency(StorePart):
    """One row for each token and key. Each call is one transaction."""

    def claim(self, token_id: str, key: str, digest: str, lease: timedelta) -> Reply | Literal["ours", "busy", "other"]:
        """Claim the key: `ours` for one caller, who then makes the reply; `busy` while another makes it; or the reply.

        `digest` is of all that was asked; `other` where the key was used for something else. A claim ends after its
        `lease`.
        """
        now = datetime.now(UTC)
        row = {"token_id": token_id, "key": key, "digest": digest, "at": now}
        own = _own(token_id, key)
        abandoned = own & (idempotency.c.digest == digest) & idempotency.c.reply.is_(None)
        with self.database.transaction() as connection:
            new = insert_new(connection, idempotency, row)
            late = update(idempotency).where(abandoned, idempotency.c.at < now - lease).values(at=now)
            if new or connection.execute(late).rowcount:
                return "ours"
            known = connection.execute(select(idempotency).where(own)).one()
        return _reply(known, digest)

    @reads
    def find(self, token_id: str, key: str, digest: str, lease: timedelta) -> Reply | Literal["free", "busy", "other"]:
        """The same without claiming the key, so that it waits for no writer; `free` if the key can be claimed."""
        with self.database.reading() as connection:
            known = connection.execute(select(idempotency).where(_own(token_id, key))).one_or_none()
        if known is None or (known.reply is None and known.at < datetime.now(UTC) - lease):
            return "free"
        return _reply(known, digest)

    def reply(self, token_id: str, key: str, reply: Reply) -> None:
        """Keep the reply for whoever repeats the request."""
        self._change(token_id, key, {"reply": reply})

    def release(self, token_id: str, key: str, lease: timedelta) -> None:
        """Give a claim back: there is no reply yet, and a repeat of the request may find one."""
        self._change(token_id, key, {"at": datetime.now(UTC) - lease - timedelta(seconds=1)})

    def _change(self, token_id: str, key: str, values: dict[str, Any]) -> None:
        with self.database.transaction() as connection:
            connection.execute(update(idempotency).where(_own(token_id, key)).values(values))


def _reply(known: Row[Any], digest: str) -> Reply | Literal["busy", "other"]:
    return "other" if known.digest != digest else known.reply or "busy"


def _own(token_id: str, key: str):  # type: ignore[no-untyped-def]
    return (idempotency.c.token_id == token_id) & (idempotency.c.key == key)
