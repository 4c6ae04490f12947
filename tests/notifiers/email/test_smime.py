"""Mails that are signed and wrapped, in the two ways that programs write lengths (X.690, section 8.1.3)."""

import base64
from collections.abc import Callable

import pytest

from notifiers.email.reply import Reply, read_reply

HEAD = b"From: grace@example.com\nTo: countersign@example.test\nSubject: Re: x\nMIME-Version: 1.0\n"
KIND = b'Content-Type: application/pkcs7-mime; name="smime.p7m"\nContent-Transfer-Encoding: base64\n\n'
SIGNED, ENVELOPED, DATA = (bytes.fromhex(f"06092a864886f70d01070{n}") for n in (2, 3, 1))
TEXT = b"Content-Type: text/plain\r\n\r\nApproved\r\n"


def definite(tag: int, *within: bytes) -> bytes:
    content = b"".join(within)
    return bytes([tag, 0x82, *len(content).to_bytes(2)]) + content


def indefinite(tag: int, *within: bytes) -> bytes:
    return definite(tag, *within) if tag == 0x04 else bytes([tag, 0x80]) + b"".join(within) + b"\0\0"


def wrapped(kind: bytes, *text: bytes, of: Callable[..., bytes] = definite) -> bytes:
    octets = [of(0x04, piece) for piece in text]
    held = octets[0] if len(octets) == 1 else of(0x24, *octets)
    content = of(0x30, DATA, of(0xA0, held))
    algorithms = definite(0x31, definite(0x30, DATA))
    return of(0x30, kind, of(0xA0, of(0x30, b"\x02\x01\x01", algorithms, content, b"\x31\x00")))


def read(wrapper: bytes) -> Reply:
    return read_reply(HEAD + KIND + base64.encodebytes(wrapper))


@pytest.mark.parametrize("of", [definite, indefinite])
def test_what_a_signed_wrapper_holds_is_read_in_one_piece_or_many(of: Callable[..., bytes]) -> None:
    assert read(wrapped(SIGNED, TEXT, of=of)).verdict == "approve"
    assert read(wrapped(SIGNED, TEXT[:9], TEXT[9:], of=of)).verdict == "approve"
    assert read(wrapped(SIGNED, TEXT[:-2], b" if Bob agrees\r\n", of=of)).verdict == "none"


def test_what_is_encrypted_or_broken_is_not_read() -> None:
    assert read(wrapped(ENVELOPED, TEXT)).code == "encrypted"
    for whole in (wrapped(SIGNED, TEXT), wrapped(SIGNED, TEXT, of=indefinite)):
        cut = whole[: whole.index(b"Approved") + 8]
        assert {read(whole[:length]).verdict for length in range(len(cut) + 1)} == {"none"}
    for hostile in (
        b"\x30\x80" * 9_000,
        b"\x04\x80" * 9_000,
        b"\x30\xff" * 9_000,
        b"\x00" * 9_000,
        b"\x04\x01a" * 9_000,
    ):
        assert read(hostile).code == "encrypted"
