"""The side effects of a grant: its workflow is started, and its end written."""

from typing import Protocol

from temporalio import activity

from countersign.steps import GrantEnd, GrantTerms


class GrantBook(Protocol):
    """Where grants are written."""

    def end(self, end: GrantEnd) -> bool:
        """End a grant, once."""


class Starter(Protocol):
    """Who starts workflows."""

    async def start_grant(self, terms: GrantTerms) -> None:
        """Start the workflow of a grant, unless it runs already."""


class GrantActivities:
    """What the workflows ask for grants."""

    def __init__(self, grants: GrantBook, starter: Starter) -> None:
        self.grants = grants
        self.starter = starter

    @activity.defn(name="start_grant")
    async def start(self, terms: GrantTerms) -> None:
        """Start the grant's own workflow, which outlives the request.

        Not a child: a parent that ends in the same task takes a child that has not started yet with it, whatever its
        close policy, and waiting for the start would cost each request one more task.
        """
        await self.starter.start_grant(terms)

    @activity.defn(name="end_grant")
    def end(self, end: GrantEnd) -> bool:
        """End or revoke a grant."""
        return self.grants.end(end)
