"""Whether Exchange Online says that a mail was submitted by a mailbox of our own tenant, which logged in for it.

Such a mail is neither signed nor checked for DMARC. What is believed instead are headers that Exchange writes itself
and takes out of what comes from outside, by its "header firewall"
(learn.microsoft.com/exchange/header-firewall-exchange-2013-help).
"""

import re

from notifiers.email.header_values import one_address
from notifiers.email.mime.parts import Fields

_SOURCES = ("x-ms-exchange-organization-authsource", "x-ms-exchange-crosstenant-authsource")
_OF_MICROSOFT = re.compile(r"(?:[a-z0-9-]{1,63}\.){1,20}outlook\.com", re.IGNORECASE)


def why_not_internal(fields: Fields, sender: str, tenant: str) -> str:
    """Why these headers don't prove that the mailbox of `sender` submitted the mail in this tenant; "" where they do.

    Each must be there exactly once: of two, one may be the sender's own.
    """
    wanted = {
        "x-ms-exchange-organization-authas": "internal",
        "x-ms-exchange-crosstenant-authas": "internal",
        "x-ms-exchange-crosstenant-id": tenant.lower(),
    }
    for name, value in wanted.items():
        if [each.strip().lower() for each in fields.all(name)] != [value]:
            return f"{name} is not {value}, once"
    sources = [fields.all(name) for name in _SOURCES]
    if not any(sources) or not all(
        len(each) < 2 and all(_OF_MICROSOFT.fullmatch(source.strip()) for source in each) for each in sources
    ):
        return f"{_SOURCES[0]} is not a server under outlook.com, once"
    same = all(one_address(value) == sender for value in fields.all("sender"))
    return "" if same else "its Sender is another than its From"
