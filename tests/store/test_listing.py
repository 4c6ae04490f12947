"""Lists of requests: rare ones are found at once, however many others there are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from countersign.models import GrantStatus, Scope
from countersign.transitions import GrantEnd
from countersign.visibility import Visibility
from store import Store
from store.filters import Filters
from store.listing import Wanted
from tests.store.requests import approved, opened, transactions


def test_the_requests_with_an_active_grant_of_somebody_are_on_one_page_behind_many_newer_ones(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.listing.MOST_READ", 3)
    lasts, ended = approved(store, device="web-1"), approved(store, device="web-2")
    transactions(store).granting.end(
        GrantEnd(approval_id=ended, status=GrantStatus.ENDED, at=datetime.now(UTC), who="the clock", message="Ended.")
    )
    for device in ("web-3", "web-4", "vaults-1", "vaults-2"):
        opened(store, device=device)
    approved(store, requester="bob", device="web-1")
    for visibility, device, found in (
        (Visibility(everything=True), "", [lasts]),
        (Visibility(everything=True), "web-1", [lasts]),
        (Visibility(everything=True), "web-2", []),
        (Visibility(scope=Scope(targets=frozenset({"web-1"}), variants=frozenset({"ssh"}))), "", [lasts]),
        (Visibility(scope=Scope(targets=frozenset({"web-3"}), variants=frozenset({"ssh"}))), "", []),
    ):
        wanted = Wanted(requester="alice", visibility=visibility, filters=Filters(device=device), has_active_grant=True)
        page, goes_on = store.reading.page(wanted)
        assert ([view.approval_id for view in page], goes_on) == (found, None), wanted
