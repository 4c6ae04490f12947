"""What one mail says and what becomes of it."""

from typing import NamedTuple

from countersign.notifications import Person
from countersign.views import Explained, RequestView
from notifiers.email.authenticity import Authentic
from notifiers.email.judge import Judged
from notifiers.email.reply import Reply


class Explanation(NamedTuple):
    """What one mail says and what becomes of it; `sender` as its From has it, `addressee` as its token proves.

    `digest` is that of the mail as it came.
    """

    reply: Reply
    judged: Judged
    sender: Person | None
    addressee: Person | None
    request: RequestView | None
    authentic: Authentic
    digest: str

    @property
    def explained(self) -> Explained:
        """The same, as the portal tells it."""
        return Explained(
            told={"reply": self.reply.model_dump(mode="json"), "judged": self.judged.model_dump(mode="json")},
            has_sender=bool(self.reply.sender),
            sender=self.sender.id if self.sender else "",
            token_of=self.addressee.id if self.addressee else "",
        )


def concerned(view: RequestView) -> set[str]:
    """The ids of those who hold mails about a request: who asked, and who were asked."""
    return {view.question.requester, *(one.person for one in view.approvers)}
