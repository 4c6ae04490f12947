"""Why Temporal can't be reached, according to the client library's message, with the remedy."""

from countersign.errors import BadSetting, Unavailable

# Parts of the library's messages, and what they mean. With the first, waiting may help; with the second, only another
# setting does.
FOR_NOW = {
    "ConnectionRefused": "nothing listens at {}. Is Temporal running?",
    "dns error": "the host name in {} is not known. See TEMPORAL_ADDRESS.",
    "get_system_info": "something else answers at {}. Is that Temporal's port, and does it want "
    "COUNTERSIGN_TEMPORAL_TLS=true?",
}
BY_SETTING = {
    "Unauthenticated": "{} does not take our key. See COUNTERSIGN_TEMPORAL_API_KEY.",
    "PermissionDenied": "{} does not take our key. See COUNTERSIGN_TEMPORAL_API_KEY.",
    "InvalidCertificate": "this machine does not trust the certificate of {}. Add its issuer to the trust store.",
    "InvalidContentType": "{} does not use TLS. Set COUNTERSIGN_TEMPORAL_TLS to false.",
}
OTHERWISE = "{} does not answer. Is Temporal running?"


def why_unreachable(text: str, address: str = "TEMPORAL_ADDRESS") -> Unavailable:
    """What this message of the library means: BadSetting if waiting does not help."""
    for mark, message in BY_SETTING.items():
        if mark in text:
            return BadSetting(f"Temporal can't be reached: {message.format(address)}")
    message = next((message for mark, message in FOR_NOW.items() if mark in text), OTHERWISE)
    return Unavailable(f"Temporal can't be reached: {message.format(address)}")
