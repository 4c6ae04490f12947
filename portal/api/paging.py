"""Pages of lists whose rows have ids that don't tell their age: newest first, going on after the last one shown."""

from dataclasses import dataclass
from typing import Annotated, Protocol, TypeVar

from fastapi import Depends, Path, Query, Request, Response

from portal.api.routes import lead_on

LONGEST_LIST = 200
TheId = Annotated[str, Path(max_length=16)]


class Row(Protocol):
    """A row of such a list."""

    id: str


R = TypeVar("R", bound=Row)


@dataclass
class Page:
    """The page of a list that is asked for."""

    request: Request
    response: Response
    before: Annotated[str, Query(max_length=16, description="Only those after the one with this id.")] = ""
    limit: Annotated[int, Query(ge=1, le=LONGEST_LIST)] = 50

    def of(self, found: list[R]) -> list[R]:
        """These rows; if there may be more, the header `Link` leads to the next page."""
        if len(found) == self.limit:
            lead_on(self.request, self.response, before=found[-1].id)
        return found


PageHere = Annotated[Page, Depends()]
