"""What Temporal's own lists can be searched by. They stay readable when payloads are encrypted: no secrets here."""

from temporalio.common import SearchAttributeKey

STATUS = SearchAttributeKey.for_keyword("CountersignStatus")
REQUESTER = SearchAttributeKey.for_keyword("CountersignRequester")
# For a connection this is its device; the name is from before there were other kinds.
TARGET = SearchAttributeKey.for_keyword("CountersignDevice")
APPROVERS = SearchAttributeKey.for_keyword_list("CountersignApprovers")

ALL = (STATUS, REQUESTER, TARGET, APPROVERS)
