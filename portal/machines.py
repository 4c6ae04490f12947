"""Machines that call: the service token or provisioning key that they send, and what it permits.

A service token is sent in two headers, those of Cloudflare Access or ours, or as one JSON object in a header that a
setting names (https://developers.cloudflare.com/cloudflare-one/access-controls/service-credentials/service-tokens/).
"""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

from starlette.datastructures import Headers

from countersign.machines import CredentialKind, ProvisioningKey
from countersign.models import PROVISIONING, SERVICE
from countersign.permissions import Principal
from portal.auth import Caller, Credential, invalid
from store import Store
from store.database import reads
from store.machine_secrets import CLIENT_ID, SERVICE_SECRET, is_whole
from store.machine_secrets import PROVISIONING_KEY as KEY_FORM

# The names of the client id and of the secret, as headers and in the JSON object alike.
PAIRS = ("cf-access-client-id", "cf-access-client-secret"), ("countersign-client-id", "countersign-client-secret")
KEY_HEADER = "countersign-provisioning-key"
LONGEST_JSON = 1000
# What precedes the id in the name of the caller.
NAMES = {"service_token": SERVICE, "provisioning_key": PROVISIONING}
ONLY_DEVICES = (
    "A service token or provisioning key can only register devices and look at those that it registered; all else "
    "needs the token of a person or gateway."
)
ONE = "Send exactly one thing that says who calls, once: a token, a service token, or a provisioning key."
BOTH = "A service token needs both of its headers, of one pair: {} and {}."
MISTYPED = "This {} is mistyped or cut off: copy it again, whole."
UNKNOWN = "This {} is unknown; ask an admin for another."
NO_OBJECT = "In the header {} a service token is one JSON object with exactly two texts, {} and {}."


class Sent(NamedTuple):
    """What a machine sent: the kind of its credential, and the id and secret, both in the right form."""

    kind: CredentialKind
    id: str
    secret: str


def sent_in(headers: Headers, json_header: str) -> Sent | None:
    """What a machine sent; None if no machine calls.

    Raises NoToken, without asking the database, if it is incomplete, sent twice, mixed or mistyped.
    """
    lone = {"authorization", json_header.lower(), KEY_HEADER}
    found = {name: headers.getlist(name) for name in (*lone, *PAIRS[0], *PAIRS[1]) if name in headers}
    used = [pair for pair in PAIRS if any(name in found for name in pair)]
    if len(used) + len(found.keys() & lone) > 1 or any(len(values) > 1 for values in found.values()):
        raise invalid(ONE)
    if used:
        return _of_pair({name: found[name][0] for name in found}, used[0])
    if KEY_HEADER in found:
        return _of_key(found[KEY_HEADER][0])
    text = found.get(json_header.lower(), [""])[0]
    if text.startswith("{") or (text and json_header.lower() != "authorization"):
        return _of_json(text, json_header)
    return None


@reads
def caller(store: Store, sent: Sent) -> Caller:
    """The machine that sent this. Raises NoToken, which says why it proves nothing: 401, as for an ended token."""
    now = datetime.now(UTC)
    kept = store.service_tokens if sent.kind == "service_token" else store.provisioning_keys
    found, what = kept.find(sent.id, sent.secret, now), sent.kind.replace("_", " ")
    if found is None:
        raise invalid(UNKNOWN.format(what))
    if why := found.why_not(now):
        raise invalid(f"This {what} {why}.")
    if isinstance(found, ProvisioningKey) and not store.policies.current()[1].enabled(found.person):
        raise invalid(f"{found.person} is disabled or not in the directory, so this provisioning key opens nothing.")
    who = Principal(f"{NAMES[sent.kind]}{found.id}")
    return Caller(Credential(sent.kind, found.id), who, machine=found)


def _of_pair(values: dict[str, str], pair: tuple[str, str]) -> Sent:
    if set(values) != set(pair):
        raise invalid(BOTH.format(*pair))
    client_id, secret = (values[name] for name in pair)
    if not is_whole(secret, SERVICE_SECRET):
        raise invalid(MISTYPED.format("client secret"))
    if not CLIENT_ID.fullmatch(client_id):
        raise invalid(UNKNOWN.format("service token"))
    return Sent("service_token", client_id, secret)


def _of_key(text: str) -> Sent:
    form = KEY_FORM.fullmatch(text)
    if form is None or not is_whole(form[0], KEY_FORM):
        raise invalid(MISTYPED.format("provisioning key"))
    return Sent("provisioning_key", form["id"], form[0])


def _of_json(text: str, header: str) -> Sent:
    """The case of names doesn't matter, as Cloudflare's own documents have written them in several."""
    why = invalid(NO_OBJECT.format(header, *PAIRS[0]))
    try:
        members: list[tuple[str, Any]] = json.loads(text[:LONGEST_JSON], object_pairs_hook=list)
    except (ValueError, RecursionError):
        raise why from None
    values = {name.lower(): value for name, value in members} if text.startswith("{") else {}
    # If a name occurs twice, in whatever case, there are more members than values.
    pair = next((pair for pair in PAIRS if set(values) == set(pair) and len(members) == len(pair)), None)
    if pair is None or not all(isinstance(value, str) for value in values.values()):
        raise why
    return _of_pair(values, pair)
