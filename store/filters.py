"""Filters for requests: as conditions of a query, and as values to compare with a request that changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_

from countersign.directory import Policy
from countersign.views import RequestView
from store.subjects import columns_of
from store.tables import one_of, requests
from store.visibility import is_asked

LONGEST_TEXT = 200


@dataclass(frozen=True)
class Filters:
    """What a request has to match; an empty filter leaves nothing out.

    `person` made it or was asked about it. Groups have the members that the policy in force gives them. `text` is part
    of the reason, the ticket, the device, or the requester's id or name, in upper or lower case.
    """

    person: str = ""
    device: str = ""
    user_group: str = ""
    device_group: str = ""
    text: str = ""

    def conditions(self, policy: Policy) -> dict[str, ColumnElement[bool]]:
        """The filters as conditions on requests, by the filters' names."""
        made_by, target = requests.c.requester, requests.c.target
        every = {
            "person": or_(made_by == self.person, is_asked(self.person)),
            "device": target == self.device,
            "user_group": one_of(made_by, policy.members_of(self.user_group)),
            "device_group": one_of(target, devices_of(policy, self.device_group)),
        }
        found = {name: condition for name, condition in every.items() if getattr(self, name)}
        return found | ({"text": _says(policy, self.text.lower())} if self.text else {})


def found_by(view: RequestView, policy: Policy) -> dict[str, list[str]]:
    """What a request is found by: the values of each filter that it fulfils, and the texts in which `text` is sought.

    An open page compares this with its filters when a request changes, so that no page needs a query of its own.
    """
    requester, target = view.question.requester, columns_of(view.subject)["target"]
    group = policy.group_with(target)
    texts = view.question.reason, view.question.ticket, target, requester, view.requester_name
    return {
        "status": [view.status],
        "requester": [requester],
        "person": sorted({requester, *(one.person for one in view.approvers)}),
        "device": [target],
        "user_group": policy.groups_of(requester),
        "device_group": [group] if group else [],
        "text": [one.lower() for one in texts],
    }


def devices_of(policy: Policy, group: str) -> Sequence[str]:
    """The devices of a device group; an unknown group has none."""
    return policy.device_groups[group].devices if group in policy.device_groups else []


def _says(policy: Policy, text: str) -> ColumnElement[bool]:
    question = requests.c.question
    columns = question["reason"].as_string(), question["ticket"].as_string(), requests.c.target, requests.c.requester
    named = [one for one, user in policy.users.items() if text in user.name.lower()]
    parts = [func.lower(column).contains(text, autoescape=True) for column in columns]
    # The ids are written into the statement: there may be more of them than it may have parameters.
    return or_(*parts, one_of(requests.c.requester, named))
