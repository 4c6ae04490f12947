"""Routing tokens of RDP: made for people who hold a grant, and redeemed by the gate that the connection comes to."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import CountersignError, Refused
from countersign.grant_reuse import is_yes, must_be_for
from countersign.permissions import Principal, may_ask_for, principal, why_not_connect
from countersign.rdp import VARIANT, RoutedConnection, RoutingToken
from countersign.times import moment
from engine.part import EnginePart
from engine.record import PORTAL, append_or_count, event
from store import grants
from store.database import Recorded
from store.events import append
from store.machine_secrets import new_secret
from store.rows import RDP_TOKENS
from store.tokens import hashed

PREFIX = "cs_rdp_"
LASTS = timedelta(minutes=2)
INVALID = (
    "This routing token opens nothing here: it is unknown, was used, is older than two minutes, or is for another "
    "device or source address. Get a new file on the request's page."
)


class RdpTokens(EnginePart):
    """Each method is one transaction, and on record, whether it is refused or not."""

    def make(self, approval_id: int, person: str, source_address: str, proof: Mapping[str, str]) -> str:
        """A token for one connection of the requester from this address; it can be read only now.

        Raises NotAllowed for others than the requester, and Refused without a grant for RDP from there.
        """
        now, token = datetime.now(UTC), new_secret(PREFIX)
        shown = {**proof, "from": source_address}
        with self.database.transaction() as connection:
            grant, why = self._grant_of(connection, approval_id, person, source_address, now)
            if why is None:
                row = {"hash": hashed(token), "approval_id": approval_id, "source_address": source_address}
                RDP_TOKENS.add(connection, row | {"ends_at": now + LASTS})
                detail = f"for {grant.target}, from {source_address}"
                made = event("rdp_file_made", person, detail, shown, now, PORTAL)
                append_or_count(connection, approval_id, made, person)
            else:
                known = approval_id if grant is not None else None
                refused = event("rdp_token_refused", person, str(why), shown, now, PORTAL)
                append_or_count(connection, known, refused, person)
                raise Recorded from why
        return token

    def redeem(self, sent: RoutingToken, gateway: Principal, proof: Mapping[str, str]) -> RoutedConnection:
        """Redeem a token, which uses it up even if it is refused; returns whose connection it is for.

        Raises Refused, always with the same message; the record says why.
        """
        now = datetime.now(UTC)
        shown = {**proof, "from": sent.source_address}
        with self.database.transaction() as connection:
            row = RDP_TOKENS.find(connection, hashed(sent.token), lock=True)
            about = row.approval_id if row else None
            why, found = self._redeemed(connection, row, sent, gateway, now)
            if row and row.used_at is None:
                RDP_TOKENS.change(connection, row.hash, used_at=now)
            if found:
                detail = f"for {found.person}, to {found.device}, from {sent.source_address}"
                append(connection, about, [event("rdp_token_redeemed", gateway.name, detail, shown, now, PORTAL)])
            else:
                refused = event("rdp_token_refused", gateway.name, why, shown, now, PORTAL)
                # Counted by request, not by address: anybody can send unknown tokens from any number of addresses.
                append_or_count(connection, about, refused, gateway.name, about)
                raise Recorded from Refused(INVALID, ErrorCode.INVALID_ROUTING_TOKEN)
        return found

    def _redeemed(
        self, connection: Connection, row: Row[Any] | None, sent: RoutingToken, gateway: Principal, now: datetime
    ) -> tuple[str, RoutedConnection | None]:
        """Why it is refused, or whose connection it is."""
        if row is None:
            return "The routing token is unknown.", None
        if row.used_at is not None:
            return f"The routing token was used before, on {moment(row.used_at)}.", None
        if row.ends_at <= now:
            return f"The routing token was good until {moment(row.ends_at)}.", None
        if row.source_address != sent.source_address:
            return f"The routing token is for {row.source_address}, and came from {sent.source_address}.", None
        [grant] = grants.rows_of(connection, [row.approval_id])
        if not may_ask_for(gateway, grant.target, grant.variant):
            return f"The routing token is for {grant.target}, of another gateway.", None
        _, why = self._grant_of(connection, row.approval_id, grant.requester, sent.source_address, now)
        if why:
            return str(why), None
        found = RoutedConnection(
            person=grant.requester, device=grant.target, approval_id=row.approval_id, ends_at=grant.ends_at
        )
        return "", found

    def _grant_of(
        self, connection: Connection, approval_id: int, person: str, source_address: str, now: datetime
    ) -> tuple[Any, CountersignError | None]:
        """The row of the grant, and why this person may not connect by it from there; None if they may."""
        _, policy = self.policies.in_force(connection)
        row = next(iter(grants.rows_of(connection, [approval_id])), None)
        return row, _why_not(policy, row, approval_id, person, source_address, now)


def _why_not(
    policy: Policy, row: Row[Any] | None, approval_id: int, person: str, source_address: str, now: datetime
) -> CountersignError | None:
    if why := why_not_connect(principal(policy, person), approval_id, row.requester if row is not None else person):
        return why
    if row is None:
        return Refused(f"#{approval_id} has no grant.", ErrorCode.NO_GRANT, approval_id=approval_id)
    if row.variant != VARIANT:
        return Refused(f"#{approval_id} is not for RDP; ask for the device by that protocol.")
    grant = grants.view(row, policy)
    if not is_yes(grant, now):
        return Refused(f"The grant of #{approval_id} is over; ask again.", ErrorCode.GRANT_OVER)
    try:
        must_be_for(grant, source_address)
    except Refused as error:
        return error
    return None
