"""A mail that was read and checked, and what goes into the record or to the people concerned."""

import hashlib
from typing import NamedTuple

from countersign.fields import folded_address
from countersign.notifications import Person, SubmittedComment
from countersign.views import RequestView
from notifiers.email.authenticity import Authentic
from notifiers.email.checks import CheckedReply
from notifiers.email.reply import REASONS, Reply
from notifiers.email.token import masked

CHANNEL = "email"


class CheckedMail(NamedTuple):
    """What one mail says and how it was checked. `sender` has its From address, `addressee` was sent its token.

    `digest` is the SHA-256 of the bytes that were read.
    """

    reply: Reply
    checked: CheckedReply
    sender: Person | None
    addressee: Person | None
    request: RequestView | None
    authentic: Authentic
    digest: str

    @property
    def is_from_an_unknown_address(self) -> bool:
        """Whether a person's copy was answered from an address that is authentic but not in the directory."""
        known = self.addressee is not None and self.addressee.enabled
        return known and self.checked.code == "known_sender" and self.authentic.passed

    @property
    def sender_is_concerned(self) -> bool:
        """Whether the sender may be told of the request: they asked, were asked, or hold a mail about it."""
        if self.request is None or self.sender is None:
            return False
        return self.addressee is not None or self.sender.id in concerned(self.request)

    @property
    def signal(self) -> tuple[str, str] | None:
        """What an automatic reply or a bounce says about the person whose copy it answers, with a text for the record.

        `away` or `unreachable`. None if it may not be about them: it comes from another person's address, as when a
        mail was redirected; the mail server says it is forged; or it claims to be a bounce but a person sent it.
        """
        reply, addressee = self.reply, self.addressee
        if addressee is None or (self.sender and (reply.kind == "bounce" or self.sender.id != addressee.id)):
            return None
        # Often the mail server can't say that one is authentic: many autoresponders' mails carry no proof.
        forged = not self.authentic.passed and self.authentic.how.startswith("dmarc=fail")
        if reply.kind == "auto_reply" and reply.away and reply.sender and not forged:
            return "away", reply.subject
        # A bounce without that address is a delay, or about somebody else.
        failed = reply.failed_recipient
        if reply.kind == "bounce" and reply.from_mail_server and failed == folded_address(addressee.email):
            return "unreachable", f"mail to {failed} came back"
        return None

    @property
    def from_elsewhere(self) -> str:
        """The message to the person whose copy was answered from an unknown address."""
        assert self.addressee is not None
        return REASONS["from_elsewhere"].format(reply=self.reply, address=self.addressee.email)

    @property
    def who(self) -> str:
        """Whom the record names: a person only if the mail is proven theirs.

        A person who is named there counts as somebody whom mail reaches.
        """
        if self.authentic.passed:
            return self.sender.id if self.sender else self.reply.sender
        return f"{self.reply.sender} (unproven)" if self.reply.sender else "an unknown sender"

    @property
    def message_id(self) -> str:
        """The Message-ID, or the digest if the mail has none."""
        return self.reply.message_id or self.digest

    @property
    def source_id(self) -> str:
        """The same for a mail delivered twice; different for another answer under the same Message-ID."""
        reply, checked = self.reply, self.checked
        text = reply.text if reply.verdict == "none" else reply.comment
        answer = f"{checked.person} {checked.approval_id} {checked.level} {reply.verdict} {text}"
        return hashlib.sha256(f"{self.message_id}\n{answer}".encode()).hexdigest()

    @property
    def proof(self) -> dict[str, str]:
        """What the record keeps of how the mail was checked: each check, what it saw, and how it came out."""
        checks = {
            f"check {n}: {one.name}": f"{'passed' if one.passed else 'FAILED'}: {one.saw}"
            for n, one in enumerate(self.checked.checks, 1)
        }
        about = {"message_id": self.reply.message_id[:400], "sender": self.reply.sender, "code": self.checked.code}
        return {**about, **checks}

    @property
    def submitted_comment(self) -> SubmittedComment:
        """What a person wrote about a request for others to read."""
        assert self.checked.approval_id is not None
        return SubmittedComment(
            channel=CHANNEL,
            source_id=self.source_id,
            approval_id=self.checked.approval_id,
            person=self.checked.person,
            text=masked(self.reply.text),
            proof=self.proof,
        )


def concerned(view: RequestView) -> set[str]:
    """The ids of those who hold mails about a request: who asked, and who were asked."""
    return {view.question.requester, *(one.person for one in view.approvers)}
