"""Which indexes a query relies on, and which tables it reads as a whole, according to the database."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, event, text

from store import Store
from store.tables import metadata

# Tables that grow with history; all others stay as small as the installation's configuration. Left out are presented
# certificates: the newest are read along an index without any condition, which both databases call a scan.
GROWING = {
    "requests",
    "steps",
    "approvers",
    "answers",
    "repeats",
    "turned_down",
    "notices",
    "grants",
    "events",
    "idempotency",
    "mails",
    "signals",
    "registered_devices",
    "fingerprints",
    "sessions",
    "sign_ins",
    "tokens",
    "application_sessions",
    "logins",
    "rdp_tokens",
    "service_tokens",
    "provisioning_keys",
}
# Indexes on open rows only, which are short even when read as a whole.
SHORT = {
    index.name
    for table in metadata.tables.values()
    for index in table.indexes
    if index.dialect_options["sqlite"]["where"] is not None
}
# How SQLite describes reading a table: `SCAN` is all of it, `SEARCH` a part of an index. An alias ends in a number.
SQLITE_READS = re.compile(
    r"(?P<how>SCAN|SEARCH) (?P<table>\w+?)(?:_\d+)?(?: USING (?:COVERING )?INDEX (?P<index>\w+))?\b"
)
KEY = "its key"
# PostgreSQL's cost of some hundred rows: for a table that is still that short it rightly uses no index.
CHEAP = 100

Statement = tuple[str, Any]


@dataclass
class Plan:
    """The indexes that are used, and the growing tables that are read as a whole."""

    indexes: set[str] = field(default_factory=set)
    scanned: set[str] = field(default_factory=set)


def statements(store: Store, ask: Callable[[], object]) -> list[Statement]:
    """The statements that the database is sent, with their parameters."""
    asked: list[Statement] = []

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        asked.append((statement, parameters))

    event.listen(store.database.engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(store.database.engine, "before_cursor_execute", note)
    return [one for one in asked if not one[0].startswith("BEGIN")]


def plan_of(store: Store, ask: Callable[[], object], small: bool = False) -> Plan:
    """The plan of all that is read; if the tables are `small`, PostgreSQL is kept from reading them as a whole."""
    asked = [one for one in statements(store, ask) if re.match(r"[\s(]*(SELECT|WITH|UPDATE|DELETE)\b", one[0])]
    plan = Plan()
    with store.database.transaction() as connection:
        if small and not store.database.is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        for one in asked:
            (_explain_sqlite if store.database.is_sqlite else _explain_postgres)(connection, one, plan)
    return plan


def _explain_sqlite(connection: Connection, asked: Statement, plan: Plan) -> None:
    statement, parameters = asked
    for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters):
        read = SQLITE_READS.match(row.detail)
        if read is None or read["table"] not in GROWING:
            continue
        plan.indexes.add(read["index"] or f"{read['table']}: {KEY}")
        if read["how"] == "SCAN" and read["index"] not in SHORT:
            plan.scanned.add(read["table"])


def _explain_postgres(connection: Connection, asked: Statement, plan: Plan) -> None:
    statement, parameters = asked
    [top] = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
    for node in _nodes(top["Plan"]):
        if index := node.get("Index Name"):
            plan.indexes.add(index)
        # An index that is read without a condition is read as a whole, too.
        all_rows = node["Node Type"] == "Seq Scan" and node["Total Cost"] > CHEAP
        whole = all_rows or (index and "Index Cond" not in node and index not in SHORT)
        if whole and node.get("Relation Name") in GROWING:
            plan.scanned.add(node["Relation Name"])


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", []):
        yield from _nodes(below)
