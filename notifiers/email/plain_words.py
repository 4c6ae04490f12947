"""Words that can mean one thing only, for mails where a short "OK" or "no" may mean another."""

from __future__ import annotations

import re

# Answers, by their beginnings. Below "your reply did not count", "OK" means "I see".
_ANSWERS = re.compile(
    r"\b(?:approv|reject|den[iy]|declin|refus|disapprov|disallow|genehmig|freigegeb|freigeb|zustimm|zugestimmt|ablehn"
    r"|abgelehnt|lehne|verweiger|approuv|autoris|rejet|rejett|aprob|aprueb|autoriz|rechaz|deneg|denieg|aprov|rejeit|recus"
    r"|autorizz|rifiut|respin|goedgekeurd|goedkeur|akkoord|afgewezen|afwijz|geweigerd|zatwierdz|akceptuj|zaakceptow"
    r"|odrzuc|odmawiam|onayl|redded|reddet|godkän|avsl[aå]|avvisa)|承認|許可|却下|拒否|同意|批准|核准|拒绝|拒絕|驳回|駁回",
    re.IGNORECASE,
)
# Whole lines that undo what was asked for or approved.
_UNDO = re.compile(
    r"(?:please )?(?:revoked?|cancel|cancell?ed|withdraw|withdrawn|undo|end)"
    r"(?: (?:it|this|that|(?:the |my |this )?(?:grant|access|request|approval|connection)))?(?: please)?(?: thanks?)?"
    r"|widerrufen?|ich widerrufe|zurückziehen|ich ziehe zurück|stornieren|storniert|abbrechen|révoquer|révoqué|annuler"
    r"|annulé|revocar|revocado|cancelar|cancelado|anular|anulado|revogar|revogado|revocare|revocato|annullare|annullato"
    r"|intrekken|ingetrokken|annuleren|geannuleerd|cofnij|cofam|odwołaj|odwołuję|anuluj|anuluję|iptal|iptal et|geri al"
    r"|återkalla|återkallas|avbryt|取消|取り消し|取消し|取り消します|キャンセル|撤销|撤銷|撤回",
    re.IGNORECASE,
)
_MARKS = " \t.,!*_\"'“”。！"


def is_plain_answer(line: str) -> bool:
    """Whether a line that was read as an answer holds a word that approves or rejects, and means nothing else."""
    return _ANSWERS.search(line) is not None


def asks_to_undo(line: str) -> bool:
    """Whether a line, whole, says that what was asked for or approved shall end: REVOKE, CANCEL and their like."""
    return _UNDO.fullmatch(re.sub(r"[,\s]+", " ", line).strip(_MARKS)) is not None
