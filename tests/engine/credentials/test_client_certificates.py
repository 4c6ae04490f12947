"""Which client certificates are valid: by authority and host, by date and use, and by what was revoked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from countersign.certificates import Revoking
from countersign.enrolment.facts import Certificate
from countersign.errors import BadQuestion, NotAllowed, NotFound, Refused
from countersign.permissions import Principal
from engine.credentials.client_certificates import ClientCertificates
from engine.record import WRITTEN_EACH
from store import Store
from store.tables import revocation_lists
from tests.authority import DAY, SERVER, Authority, Issued, usage

ADA = Principal("ada", admin=True)

HOST = "access.example.com"
FROM = "192.0.2.7"


@pytest.fixture
def certificates(store: Store) -> ClientCertificates:
    return ClientCertificates(store)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def trusted(certificates: ClientCertificates, *authorities: Issued, hosts: tuple[str, ...] = (HOST,)) -> list[str]:
    return certificates.trust("".join(one.pem for one in authorities), hosts, ADA, {"session": "s1"})


def judged(certificates: ClientCertificates, presented: Issued, host: str = HOST) -> Certificate:
    return certificates.check(presented.der, host, FROM)


def recorded(store: Store, *kinds: str) -> list[str]:
    return [one.detail for one in store.events.since(0, 10**6) if one.kind in kinds]


def why_refused(certificates: ClientCertificates, store: Store, presented: Issued, host: str = HOST) -> str:
    """Why a certificate is not valid, as the record says."""
    found = judged(certificates, presented, host)
    assert (found.valid, found.common_name, found.serial) == (False, "", presented.serial)
    return recorded(store, "certificate_refused")[-1]


def test_a_certificate_of_a_trusted_authority_is_valid_and_kept(
    certificates: ClientCertificates, store: Store, authority: Authority
) -> None:
    trusted(certificates, authority)
    presented = authority.issue()
    found = judged(certificates, presented)
    sha256 = presented.certificate.fingerprint(hashes.SHA256()).hex()
    assert found == Certificate(common_name="laptop-7", serial=presented.serial, sha256=sha256, valid=True)
    judged(certificates, presented)
    [kept] = store.certificates.presented()
    assert (kept.sha256, kept.serial, kept.common_name, kept.authority, kept.revoked_at) == (
        *(sha256, presented.serial, "laptop-7", "CN=Example CA"),
        None,
    )
    assert kept.ends_at == presented.certificate.not_valid_after_utc
    judged(certificates, authority.issue("laptop-8"))
    assert [one.common_name for one in store.certificates.presented()] == ["laptop-8", "laptop-7"]
    assert [one.common_name for one in store.certificates.presented(serial=kept.serial)] == ["laptop-7"]
    assert [one.common_name for one in store.certificates.presented(sha256=sha256)] == ["laptop-7"]
    assert recorded(store, "certificate_refused") == []


NOT_VALID: dict[str, tuple[Callable[[Authority], Issued], str]] = {
    "expired": (lambda ca: ca.issue(lasts=-DAY / 2), "CN=laptop-7 has expired, "),
    "not yet": (lambda ca: ca.issue(starts=DAY), "CN=laptop-7 is not valid before "),
    "of another": (lambda _: Authority("Other").issue(), "CN=laptop-7 was not issued by an authority trusted here"),
    "of the same name": (lambda _: Authority().issue(), "CN=laptop-7 was not issued by an authority trusted here"),
    "for servers": (lambda ca: ca.issue(uses=[SERVER]), "CN=laptop-7 is not for clients ("),
    "for nothing": (lambda ca: ca.issue(uses=None), "CN=laptop-7 is not for clients ("),
    "for anything": (lambda ca: ca.issue(uses=[x509.ObjectIdentifier("2.5.29.37.0")]), "CN=laptop-7 is not for cli"),
    "may not sign": (
        lambda ca: ca.issue(extensions=[(usage(key_encipherment=True), True)]),
        "CN=laptop-7 may not sign (",
    ),
    "unknown and critical": (
        lambda ca: ca.issue(
            extensions=[(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)]
        ),
        "CN=laptop-7 can't be verified with its authority",
    ),
    "an authority's": (lambda ca: ca, "CN=Example CA is not for clients ("),
    "of a client": (
        lambda ca: Authority("Client", issuer=ca, is_authority=False).issue(),
        "CN=laptop-7 was not issued by an authority trusted here",
    ),
}


@pytest.mark.parametrize("case", NOT_VALID)
def test_others_are_not_and_the_record_says_why(
    certificates: ClientCertificates, store: Store, authority: Authority, case: str
) -> None:
    trusted(certificates, authority)
    make, why = NOT_VALID[case]
    assert why_refused(certificates, store, make(authority)).startswith(why)
    assert store.certificates.presented() == []


def test_an_authority_is_trusted_for_its_host_names_alone(
    certificates: ClientCertificates, store: Store, authority: Authority
) -> None:
    other = Authority("Other CA")
    trusted(certificates, authority, hosts=(HOST, "vpn.example.com"))
    trusted(certificates, other, hosts=("lab.example.com",))
    for host, valid in ((HOST, True), ("vpn.example.com", True), ("lab.example.com", False), ("", False)):
        assert judged(certificates, authority.issue(), host).valid is valid
    assert why_refused(certificates, store, other.issue()).endswith("was not issued by an authority trusted here")


def test_what_can_not_be_read_is_refused(certificates: ClientCertificates, store: Store, authority: Authority) -> None:
    trusted(certificates, authority)
    good = authority.issue().der
    for bad in (b"", b"x", good[:-1], good + b"\x00", b"\x30\x03\x02\x01\x01"):
        with pytest.raises(NotAllowed, match="can't be read"):
            certificates.check(bad, HOST, FROM)
    assert len(recorded(store, "certificate_refused")) == 5
    for _ in range(2 * WRITTEN_EACH):
        with pytest.raises(NotAllowed):
            certificates.check(b"", HOST, FROM)
    assert len(recorded(store, "certificate_refused")) == WRITTEN_EACH


def test_a_common_name_counts_where_there_is_one_that_can_be_shown(
    certificates: ClientCertificates, authority: Authority
) -> None:
    trusted(certificates, authority)
    assert judged(certificates, authority.issue("laptop\u202e7")).common_name == ""
    assert judged(certificates, authority.issue("Büro 7")).common_name == "Büro 7"


def test_an_intermediate_authority_leads_to_its_root_which_can_revoke_it(
    certificates: ClientCertificates, store: Store, authority: Authority
) -> None:
    between = Authority("Between", issuer=authority)
    presented = between.issue()
    trusted(certificates, authority)
    assert why_refused(certificates, store, presented).endswith("was not issued by an authority trusted here")
    [of_between] = trusted(certificates, between)
    assert judged(certificates, presented).valid
    certificates.add_list(authority.revocation_list(between), ADA, {})
    why = why_refused(certificates, store, presented)
    assert why == ("CN=laptop-7 is of the authority CN=Between, which is on the revocation list of CN=Example CA")
    certificates.distrust(of_between, ADA, {})
    assert not judged(certificates, presented).valid


def test_an_authority_is_revoked_by_who_issued_it_also_where_that_one_is_trusted_for_other_hosts_alone(
    certificates: ClientCertificates, store: Store, authority: Authority
) -> None:
    between = Authority("Between", issuer=authority)
    trusted(certificates, between)
    trusted(certificates, authority, hosts=("other.example.com",))
    presented = between.issue()
    assert judged(certificates, presented).valid
    certificates.add_list(authority.revocation_list(between), ADA, {})
    assert why_refused(certificates, store, presented).endswith("which is on the revocation list of CN=Example CA")


def test_a_renewed_authority_goes_on_where_the_old_one_was(
    certificates: ClientCertificates, store: Store, authority: Authority
) -> None:
    renewed = Authority(key=authority.key, lasts=2 * 365 * DAY)
    [old] = trusted(certificates, authority)
    trusted(certificates, renewed)
    revoked = authority.issue()
    certificates.revoke(old, Revoking(serial=revoked.serial), ADA, {})
    certificates.distrust(old, ADA, {})
    assert judged(certificates, authority.issue()).valid
    assert " was revoked " in why_refused(certificates, store, revoked)


def test_a_certificate_on_the_list_of_its_authority_is_not_valid(
    certificates: ClientCertificates, store: Store, authority: Authority
) -> None:
    [of_authority] = trusted(certificates, authority)
    lost, other = authority.issue("lost"), authority.issue("other")
    assert judged(certificates, lost).valid
    assert certificates.add_list(authority.revocation_list(lost), ADA, {"session": "s1"}) == of_authority
    assert why_refused(certificates, store, lost) == "CN=lost is on the revocation list of CN=Example CA"
    assert judged(certificates, other).valid
    assert recorded(store, "revocation_list_added") == ["CN=Example CA: 1 revoked"]
    [shown] = store.certificates.authorities()
    assert shown.revocation_list
    assert (shown.revocation_list.revoked, shown.revocation_list.added_by) == (1, "ada")
    # It stays revoked when the authority is removed and trusted again.
    certificates.distrust(of_authority, ADA, {})
    trusted(certificates, authority)
    assert not judged(certificates, lost).valid


def test_with_a_list_that_is_out_of_date_nothing_of_its_authority_is_valid_until_the_next_one(
    certificates: ClientCertificates, store: Store, authority: Authority
) -> None:
    trusted(certificates, authority)
    presented = authority.issue()
    certificates.add_list(authority.revocation_list(issued=-DAY), ADA, {})
    assert judged(certificates, presented).valid
    with store.database.transaction() as connection:
        connection.execute(revocation_lists.update().values(ends_at=revocation_lists.c.issued_at))
    why = why_refused(certificates, store, presented)
    assert why.startswith(
        "CN=laptop-7 can't be trusted now, as the revocation list of CN=Example CA has been out of date since"
    )
    assert why.endswith("; upload the newest")
    certificates.add_list(authority.revocation_list(), ADA, {})
    assert judged(certificates, presented).valid


BAD_LISTS: dict[str, tuple[Callable[[Authority], str], str]] = {
    "no list": (lambda ca: ca.pem, "It is not a revocation list that can be read"),
    "out of date": (lambda ca: ca.revocation_list(issued=-8 * DAY), "has been out of date since"),
    "signed with a weak hash": (
        lambda ca: ca.revocation_list(signed_with=hashes.SHA224()),
        "is signed with a hash that is not safe",
    ),
    "of tomorrow": (lambda ca: ca.revocation_list(issued=DAY), "is not valid before"),
    "of changes": (
        lambda ca: ca.revocation_list(extensions=[(x509.DeltaCRLIndicator(1), True)]),
        "is only a part of one",
    ),
    "of authorities only": (
        lambda ca: ca.revocation_list(
            extensions=[(x509.IssuingDistributionPoint(None, None, False, True, None, False, False), True)]
        ),
        "is only a part of one",
    ),
    "signed by another": (lambda ca: Authority().revocation_list(), "No trusted authority has issued and signed"),
    "of another name": (lambda ca: ca.revocation_list(name="Other"), "No trusted authority has issued and signed"),
}


@pytest.mark.parametrize("case", BAD_LISTS)
def test_a_list_that_proves_nothing_is_not_taken(
    certificates: ClientCertificates, store: Store, authority: Authority, case: str
) -> None:
    trusted(certificates, authority)
    make, why = BAD_LISTS[case]
    with pytest.raises((BadQuestion, Refused), match=why):
        certificates.add_list(make(authority), ADA, {})
    assert judged(certificates, authority.issue()).valid
    assert recorded(store, "revocation_list_added") == []


def test_a_list_is_not_replaced_by_an_older_one_nor_signed_by_who_may_not(
    certificates: ClientCertificates, store: Store, authority: Authority
) -> None:
    may_not = Authority("May not", uses=usage(key_cert_sign=True))
    trusted(certificates, authority, may_not)
    lost = authority.issue()
    certificates.add_list(authority.revocation_list(lost), ADA, {})
    with pytest.raises(Refused, match="A newer revocation list is known"):
        certificates.add_list(authority.revocation_list(issued=-timedelta(hours=1)), ADA, {})
    with pytest.raises(Refused, match="No trusted authority"):
        certificates.add_list(may_not.revocation_list(), ADA, {})
    assert not judged(certificates, lost).valid


def test_a_certificate_is_revoked_by_its_serial_number_seen_or_not(
    certificates: ClientCertificates, store: Store, authority: Authority
) -> None:
    other = Authority("Other CA")
    [of_authority, _] = trusted(certificates, authority, other)
    presented, unseen = authority.issue(), authority.issue()
    assert judged(certificates, presented).valid
    for one in (presented, unseen, presented):
        typed = ":".join(one.serial.upper().zfill(40)[n : n + 2] for n in range(0, 40, 2))
        certificates.revoke(of_authority, Revoking(serial=typed, reason="lost"), ADA, {"session": "s1"})
    assert "CN=laptop-7 was revoked " in why_refused(certificates, store, presented)
    assert not judged(certificates, unseen).valid
    assert recorded(store, "certificate_revoked") == [
        f"{one.serial} of CN=Example CA: lost" for one in (presented, unseen)
    ]
    [kept] = store.certificates.presented()
    assert kept.revoked_at
    with pytest.raises(NotFound, match="no trusted authority 00"):
        certificates.revoke("00", Revoking(serial="1"), ADA, {})


BAD_FILES: dict[str, tuple[Callable[[], str], str]] = {
    "nothing": (lambda: "", "holds no certificate that can be read"),
    "no PEM": (lambda: "\x00\ud800", "holds no certificate that can be read"),
    "broken": (lambda: Authority().pem.replace("M", "!"), "holds no certificate that can be read"),
    "a key": (lambda: (one := Authority()).pem + one.key_pem, "a private key"),
    "a client's": (lambda: Authority().issue().pem, "CN=laptop-7 is not an authority's"),
    "not an authority's": (lambda: Authority(is_authority=False).pem, "CN=Example CA is not an authority's"),
    "may not issue": (lambda: Authority(uses=usage(crl_sign=True)).pem, "CN=Example CA may not issue certificates"),
    "ended": (lambda: Authority(lasts=-DAY / 2).pem, "CN=Example CA has expired"),
    "too many": (lambda: 21 * Authority().pem, "more than 20 certificates"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_what_is_no_authority_is_refused_whole(certificates: ClientCertificates, store: Store, case: str) -> None:
    make, why = BAD_FILES[case]
    with pytest.raises(BadQuestion, match=why):
        certificates.trust(make(), [HOST], ADA, {})
    assert store.certificates.authorities() == []


def test_an_authority_that_is_trusted_already_is_refused_and_so_are_all_others_of_its_file(
    certificates: ClientCertificates, store: Store, authority: Authority
) -> None:
    trusted(certificates, authority)
    with pytest.raises(Refused, match="CN=Example CA is trusted already"):
        trusted(certificates, Authority("New"), authority, hosts=("other.example.com",))
    [only] = store.certificates.authorities()
    assert (only.name, only.hosts, only.added_by) == ("CN=Example CA", [HOST], "ada")


def test_what_admins_change_is_on_record(certificates: ClientCertificates, store: Store, authority: Authority) -> None:
    [only] = trusted(certificates, authority, hosts=(HOST, "vpn.example.com", HOST))
    certificates.distrust(only, ADA, {"session": "s1"})
    with pytest.raises(NotFound):
        certificates.distrust(only, ADA, {})
    sha256 = authority.certificate.fingerprint(hashes.SHA256()).hex()
    added, removed = [one for one in store.events.since(0, 10**6) if one.kind.startswith("certificate_authority")]
    for one, kind in ((added, "certificate_authority_added"), (removed, "certificate_authority_removed")):
        assert (one.kind, one.who, one.detail) == (kind, "ada", f"CN=Example CA for {HOST}, vpn.example.com")
        assert one.proof == {"session": "s1", "authority": sha256}
    assert not judged(certificates, authority.issue()).valid
