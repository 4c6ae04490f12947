"""What somebody may see of requests and of their events; `visible_to` in `permissions` says who sees what."""

from dataclasses import dataclass

from countersign.models import NO_SCOPE, Scope
from countersign.views import RequestView


@dataclass(frozen=True)
class Concern:
    """Whom a request concerns (those who made it or were asked about it), and what it is for."""

    people: frozenset[str]
    target: str
    variant: str


@dataclass(frozen=True)
class Visibility:
    """What somebody may see: everything, the requests a person made or was asked about, or those of a gateway."""

    everything: bool = False
    person: str = ""
    scope: Scope = NO_SCOPE

    @property
    def is_empty(self) -> bool:
        """Whether nothing may be seen."""
        return not (self.everything or self.person or (self.scope.targets and self.scope.variants))

    def sees(self, request: RequestView) -> bool:
        """Whether this request may be seen."""
        people = frozenset({request.question.requester, *(one.person for one in request.approvers)})
        return self.includes(Concern(people, request.subject.target, request.subject.variant))

    def includes(self, concern: Concern | None) -> bool:
        """Whether what belongs to such a request may be seen; None means that it belongs to none."""
        if self.everything or concern is None:
            return self.everything
        own = self.scope.includes(concern.target, concern.variant)
        return own or (self.person != "" and self.person in concern.people)
