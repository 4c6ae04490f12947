"""What Temporal's own lists can be searched by. They stay readable when payloads are encrypted: no secrets here."""

from temporalio.common import SearchAttributeKey

STATUS = SearchAttributeKey.for_keyword("CountersignStatus")
REQUESTER = SearchAttributeKey.for_keyword("CountersignRequester")
DEVICE = SearchAttributeKey.for_keyword("CountersignDevice")
APPROVERS = SearchAttributeKey.for_keyword_list("CountersignApprovers")

ALL = (STATUS, REQUESTER, DEVICE, APPROVERS)
