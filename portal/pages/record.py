"""Rows of the record as sentences: "Grace Hopper answered #1042 by email: approved"."""

from countersign.views import AuditEventView

# As the record calls Countersign itself.
PROGRAM = "countersign"
# What somebody did; `{}` is the request.
PHRASES = {
    "opened": "asked for {}",
    "asked_again": "asked again for {}",
    "refused": "asked, and was refused",
    "level_started": "started a level of {}",
    "fallback": "was asked about {} in place of others",
    "left_out": "could not be asked about {}",
    "approval_lapsed": "approved {}, which no longer counts",
    "noticed": "was told about {}",
    "unreachable": "could not be told about {}",
    "away": "was reported as away, about {}",
    "answered": "answered {}",
    "answer_refused": "answered {}, which did not count",
    "inquired": "asked the requester about {}",
    "commented": "commented on {}",
    "reminder_due": "reminded those who had not answered {}",
    "reminded": "reminded those who had not answered {}",
    "approved": "approved {}",
    "rejected": "rejected {}",
    "expired": "let {} expire",
    "cancelled": "cancelled {}",
    "granted": "got access by {}",
    "grant_ended": "ended the access of {}",
    "grant_revoked": "revoked the access of {}",
    "policy_applied": "applied a policy",
    "audit_exported": "exported the record",
    "token_created": "made a token",
    "token_ended": "ended a token",
    "login_asked": "began to log in with a command line",
    "login_allowed": "allowed a command line to act for them",
    "login_denied": "did not allow a command line to act for them",
    "login_refused": "could not log in with a command line",
    "signed_in": "signed in",
    "confirmed": "signed in again, to confirm who they are",
    "passkey_added": "added a passkey",
    "passkey_removed": "removed a passkey",
    "passkey_refused": "could not use a passkey",
    "signed_out": "signed out",
    "sign_in": "asked for a link to sign in",
    "sign_in_refused": "could not sign in",
    "application_opened": "opened a web application, as permitted by {}",
    "application_refused": "could not open a web application",
    "device_registered": "registered a device",
    "device_refused": "could not register a device, or act on one",
    "device_changed": "registered a device that has changed",
    "device_enrolled": "enrolled a device again",
    "device_pending": "waits for an approval of a device",
    "device_approved": "let a device in",
    "device_blocked": "blocked a device",
    "device_unblocked": "unblocked a device",
    "device_archived": "archived a device",
    "device_restored": "restored a device",
    "device_revoked": "revoked a device",
    "device_unrevoked": "took back the revocation of a device",
    "device_left": "removed a device of their own",
    "enrolment_refused": "could not enrol a device",
    "certificate_authority_added": "added a certificate authority",
    "certificate_authority_removed": "removed a certificate authority",
    "revocation_list_added": "uploaded a revocation list",
    "certificate_revoked": "revoked a client certificate",
    "certificate_refused": "presented a client certificate that was refused",
    "mailbox_unread": "told admins that an inbox can't be read",
    "expiring": "told admins that something expires soon",
    "service_token_created": "made a service token",
    "service_token_refreshed": "refreshed a service token",
    "service_token_rotated": "rotated the secret of a service token",
    "service_token_secret_ended": "ended the previous secret of a service token",
    "service_token_disabled": "disabled a service token",
    "service_token_enabled": "enabled a service token",
    "service_token_revoked": "revoked a service token",
    "service_token_refused": "called with a service token that was refused",
    "provisioning_key_created": "made a provisioning key",
    "provisioning_key_used": "registered a device with a provisioning key",
    "provisioning_key_ended": "ended a provisioning key",
    "provisioning_key_refused": "called with a provisioning key that was refused",
    "rdp_file_made": "got a file to connect by RDP, for {}",
    "rdp_token_redeemed": "let an RDP connection in, for {}",
    "rdp_token_refused": "tried an RDP connection, which was refused, for {}",
}
# What a notification is about.
NOTIFICATIONS = {
    "opened": "it waits for approval",
    "asked": "an approval is asked for",
    "reminded": "a reminder",
    "settled": "how it was decided",
    "grant_ended": "the access is over",
    "answer_refused": "an answer did not count",
    "help": "how to answer",
    "inquiry": "an approver's question",
    "comment": "the requester's comment",
}


def sentence(event: AuditEventView) -> str:
    """Who did what, to which request, and by which channel; its detail follows elsewhere."""
    who = "Countersign" if event.who == PROGRAM else event.name or event.who or "Somebody unknown"
    about = f"#{event.approval_id}" if event.approval_id else "no request"
    did = PHRASES.get(event.kind, event.kind.replace("_", " ")).format(about)
    return f"{who} {did}" + (f" by {event.channel}" if event.channel else "")


def detail(event: AuditEventView) -> str:
    """What else the row says."""
    if event.kind in ("noticed", "unreachable"):
        return ": ".join(filter(None, (NOTIFICATIONS.get(event.detail, event.detail), event.proof.get("error", ""))))
    return event.detail
