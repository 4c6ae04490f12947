"""Our errors for Slack's, each with a sentence that names the remedy.

The errors: https://docs.slack.dev/reference/methods/chat.postMessage#errors, and the pages of the other methods.
"""

from collections.abc import Mapping
from typing import Any

from countersign.errors import Unavailable, Unreachable

# `about` is whom or what the call was about: only this person, room or message is out of reach.
OUT_OF_REACH = {
    "channel_not_found": "there is no such conversation, or the app is not in it: invite the app there, "
    "or correct the room in the policy",
    "not_in_channel": "the app is not in it: invite it there with /invite",
    "is_archived": "it is archived: unarchive it, or name another room in the policy",
    "restricted_action": "the workspace doesn't let the app post there: change who can post, or name another room",
    "users_not_found": "nobody in this workspace has that address: correct it in Slack or in the directory",
    "user_not_found": "the workspace has no such person",
    "user_not_visible": "the app may not see that person",
    "user_disabled": "the account is deactivated",
    "cannot_dm_bot": "it is a bot",
    "invalid_user_combination": "the app can't write to that person",
    "message_not_found": "the message was deleted",
    "thread_not_found": "the message was deleted",
    "cant_update_message": "it is not the app's own message",
    "edit_window_closed": "the workspace lets messages be edited for a time only: lift that in its settings",
}
# The app itself can do nothing now.
OUT_OF_ORDER = {
    "invalid_auth": "the bot token is not valid: install the app again and set the new token",
    "not_authed": "the bot token is missing: set COUNTERSIGN_SLACK_BOT_TOKEN",
    "account_inactive": "the app was removed from the workspace: install it again and set the new token",
    "token_revoked": "the bot token was revoked: install the app again and set the new token",
    "token_expired": "the bot token has expired: turn token rotation off, install the app again and set the new token",
    "no_permission": "the app lacks the permission: install it again from the manifest",
    "not_allowed_token_type": "that is not a bot token: set the one that begins with xoxb-",
    "messages_tab_disabled": "the app can't write to anybody: turn on the Messages Tab under App Home",
    "access_denied": "the workspace's administrators closed it to the app",
    "ekm_access_denied": "the workspace's administrators suspended it (EKM)",
    "team_access_not_granted": "the app is not installed in this workspace: install it there",
    "accesslimited": "this address is not on the app's list of allowed addresses: add it under OAuth & Permissions",
}
# Of `apps.connections.open`, which alone takes the app-level token.
APP_TOKEN = {"invalid_auth", "not_authed", "not_allowed_token_type", "token_revoked", "token_expired", "missing_scope"}
MAKE_ANOTHER = (
    "make an App-Level Token with connections:write under Basic Information and set COUNTERSIGN_SLACK_APP_TOKEN to it"
)


def message_of(method: str, about: str, answer: Mapping[str, Any]) -> Unreachable | Unavailable:
    """Our error for an answer with `ok: false`."""
    error = str(answer.get("error") or "no error at all")[:80]
    # As in restricted_action_read_only_channel.
    known = "restricted_action" if error.startswith("restricted_action") else error
    if method == "apps.connections.open" and error in APP_TOKEN:
        return Unavailable(f"Slack refuses the app token ({error}): {MAKE_ANOTHER}")
    if known in OUT_OF_REACH:
        return Unreachable(f"Slack can't reach {about}: {OUT_OF_REACH[known]} ({error})")
    if error == "missing_scope":
        needed, provided = (str(answer.get(key) or "unknown")[:200] for key in ("needed", "provided"))
        return Unavailable(
            f"Slack refuses {method}: the app lacks the scope {needed} (it has {provided}): "
            "install it again from the manifest"
        )
    if error in OUT_OF_ORDER:
        return Unavailable(f"Slack refuses {method}: {OUT_OF_ORDER[error]} ({error})")
    return Unavailable(f"Slack can't do {method} now ({error}); if that lasts, see https://slack-status.com")
