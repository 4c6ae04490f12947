"""Passkeys: what browsers are asked, and their replies (https://www.w3.org/TR/webauthn-3/), verified by `webauthn`.

The device always has to verify the person (a finger, a face, a PIN), and not only that somebody is present.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    UserVerificationRequirement,
)

from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed
from engine.credentials.passkeys import NewPasskey
from store.passkeys import Passkey

REFUSED = "What your browser answered proves nothing; try again."
REQUIRED = UserVerificationRequirement.REQUIRED

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RelyingParty:
    """The portal as browsers know it: passkeys are bound to the host in its public address."""

    name: str
    public_url: str

    @property
    def id(self) -> str:
        """The host."""
        return urlsplit(self.public_url).hostname or ""

    @property
    def origin(self) -> str:
        """The origin that browsers name in their replies."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    def to_add(self, challenge: bytes, person: str, shown_name: str, known: Sequence[Passkey]) -> str:
        """The options with which a browser makes a passkey, as JSON."""
        return options_to_json(
            generate_registration_options(
                rp_id=self.id,
                rp_name=self.name,
                # Always the same for a person, so that a device keeps one passkey of theirs; and not their name.
                user_id=hashlib.sha256(f"countersign {person}".encode()).digest(),
                user_name=person,
                user_display_name=shown_name,
                challenge=challenge,
                authenticator_selection=AuthenticatorSelectionCriteria(user_verification=REQUIRED),
                exclude_credentials=_described(known),
            )
        )

    def to_confirm(self, challenge: bytes, known: Sequence[Passkey]) -> str:
        """The options with which a browser uses one of these passkeys, as JSON."""
        return options_to_json(
            generate_authentication_options(
                rp_id=self.id, challenge=challenge, allow_credentials=_described(known), user_verification=REQUIRED
            )
        )

    def made(self, credential: str, challenge: bytes) -> NewPasskey:
        """The passkey that a browser has made. Raises NotAllowed."""
        try:
            found = verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                require_user_verification=True,
            )
        except Exception as error:  # its type depends on what is malformed
            raise _refused(error) from None
        return NewPasskey(bytes_to_base64url(found.credential_id), found.credential_public_key, found.sign_count)

    def used(self, credential: str, challenge: bytes, known: Sequence[Passkey]) -> tuple[Passkey, int]:
        """Which of these was used, and how often it has signed by now. Raises NotAllowed.

        A count that is not higher than before, unless both are 0, is that of a copy, and is refused.
        """
        try:
            answer = parse_authentication_credential_json(credential)
            passkey = next(one for one in known if one.credential_id == bytes_to_base64url(answer.raw_id))
            found = verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
        except Exception as error:  # the same
            raise _refused(error) from None
        return passkey, found.new_sign_count


def _described(known: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(one.credential_id)) for one in known]


def _refused(error: Exception) -> NotAllowed:
    log.info("a passkey was refused: %s: %s", type(error).__name__, str(error)[:200])
    return NotAllowed(REFUSED, ErrorCode.REFUSED)
