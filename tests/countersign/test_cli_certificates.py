"""certificate-authority, against a real portal."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_crl

from tests.authority import Authority
from tests.countersign.installation import Run


def test_an_admin_trusts_an_authority_revokes_by_list_and_by_serial_number_and_removes_it(
    by: Run, tmp_path: Path
) -> None:
    authority = Authority("From a shell")
    lost = authority.issue("lost")
    pem, der, crl = tmp_path / "ca.pem", tmp_path / "ca.der", tmp_path / "ca.crl"
    pem.write_text(authority.pem)
    der.write_bytes(authority.der)
    crl.write_bytes(load_pem_x509_crl(authority.revocation_list(lost).encode()).public_bytes(Encoding.DER))
    of = ("certificate-authority",)
    assert "No authority is trusted" in by("ada", *of, "list").out
    assert by("alice", *of, "list").code == 3
    [added] = by("ada", *of, "add", pem, "--host", "access.example.com", "--host", "vpn.example.com", "--json").json
    again = by("ada", *of, "add", der, "--host", "access.example.com")
    assert (again.code, "CN=From a shell is trusted already" in again.err) == (1, True)
    assert "revocation list: 1 revoked" in by("ada", *of, "revocation-list", crl).out
    listed = by("ada", *of, "list").out
    assert listed.splitlines()[0] == f"CN=From a shell  {added['id']}"
    assert "for access.example.com, vpn.example.com, ends " in listed
    revoked = by("ada", *of, "revoke", added["id"], lost.serial, "--reason", "lost")
    assert (revoked.code, revoked.out.strip()) == (0, "Revoked a certificate of CN=From a shell.")
    assert by("ada", *of, "presented").out.strip() == "No such certificate was presented."
    assert by("ada", *of, "presented", "--serial", lost.serial, "--json").json == []
    assert by("ada", *of, "remove", added["id"], "--json").json["id"] == added["id"]
    assert by("ada", *of, "remove", added["id"]).code == 5
    for argument in ("add", "revocation-list"):
        wrong = by("ada", *of, argument, tmp_path / "nothing", *(["--host", "x"] if argument == "add" else []))
        assert (wrong.code, "can't be read" in wrong.err) == (2, True)
