"""Who a mail is from, whom it is to, and which of our mails it answers."""

from notifiers.email import limits
from notifiers.email.header_values import addresses_anywhere, message_ids, one_address
from notifiers.email.mime.parts import Fields
from notifiers.email.token import Ids, in_address, in_message_id

_RECIPIENTS = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to")


def one_sender(fields: Fields) -> str:
    """The one From address, folded; "" where there is none, more than one, or one that can be read two ways."""
    values = fields.all("from")
    return one_address(values[0]) if len(values) == 1 else ""


def sender_differs(fields: Fields, sender: str) -> bool:
    """Whether a Sender field names somebody else than From: then another person pressed send.

    A sub-address (RFC 5233) and a host of the domain are the same person's: Exim and other old Unix programs put the
    user and the machine there. So is an empty field nobody's.
    """
    own, _, domain = sender.rpartition("@")
    named = [one_address(value).rpartition("@") for value in fields.all("sender") if value.strip()]
    same = (
        user.partition("+")[0] == own.partition("+")[0] and f".{host}".endswith(f".{domain}") for user, _, host in named
    )
    return not all(same)


def answered_ids(fields: Fields) -> list[str]:
    """The ids a mail says it answers, nearest first: In-Reply-To, then References from its end."""
    found = [*reversed(message_ids(fields.first("in-reply-to"))), *reversed(message_ids(fields.first("references")))]
    return list(dict.fromkeys(found))[: limits.MOST_ADDRESSES]


def ids_named(fields: Fields) -> list[Ids]:
    """Which level of which request a mail answers; more than one where its headers disagree.

    The address it was sent to says so, and must agree with In-Reply-To; without a tag there, the nearest of our ids.
    """
    written = [addresses_anywhere(value)[: limits.MOST_ADDRESSES] for name in _RECIPIENTS for value in fields.all(name)]
    tagged = [ids for each in written for ids in map(in_address, each) if ids]
    nearest = [ids for ids in map(in_message_id, answered_ids(fields)) if ids and ids.token]
    replied_to = [ids for ids in map(in_message_id, message_ids(fields.first("in-reply-to"))) if ids and ids.token]
    return list(dict.fromkeys([*tagged, *replied_to])) if tagged else nearest[:1]
