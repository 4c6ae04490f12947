"""What the app is allowed to do in Slack, each with the reason: the least that it needs (https://docs.slack.dev/reference/scopes)."""

# Of the bot token.
SCOPES = {
    "chat:write": "write to approvers and requesters, and change what was written",
    "users:read": "see whether somebody is deactivated, a guest, a bot or from another workspace",
    "users:read.email": "find people by their address in the directory, and know whose click it is",
    "im:write": "open the direct message with an approver or a requester",
    "im:history": "look for a message that may have been posted, so that none is posted twice",
    "commands": "offer /connect and the shortcut",
}
# Of the bot token, if the policy names a room.
ROOM_SCOPES = {
    "channels:history": "the same look in a public channel",
    "groups:history": "the same look in a private channel",
}
# Of the app-level token, in Socket Mode.
APP_SCOPES = {"connections:write": "open the socket that clicks come in by"}
