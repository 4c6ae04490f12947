"""certificate-authority: whose client certificates are trusted, what is revoked, and what was presented."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from countersign.certificates import CERTIFICATE, REVOCATION_LIST, CertificateAuthority, ClientCertificate, as_pem
from countersign.cli.files import content
from countersign.cli.options import AsJson, with_portal
from countersign.cli.output import show_result
from countersign.cli.tables import each
from countersign.http import Api
from countersign.times import moment

LONGEST_LIST = 200

commands = typer.Typer(no_args_is_help=True, help="Trust certificate authorities, and revoke certificates.")

TheId = Annotated[str, typer.Argument(metavar="AUTHORITY_ID", help="The authority's id, as `list` shows it.")]


@commands.command("list")
@with_portal
def list_(api: Api, as_json: AsJson = False) -> None:
    """List the trusted authorities, with their host names and revocation lists."""
    _show(api.certificate_authorities(), as_json)


@commands.command()
@with_portal
def add(
    api: Api,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Their certificates in PEM, or one in DER.")],
    host: Annotated[list[str], typer.Option(metavar="NAME", help="A host name to trust them for; may be repeated.")],
    as_json: AsJson = False,
) -> None:
    """Trust certificate authorities for these host names."""
    _show(api.trust_authorities(as_pem(content(file), CERTIFICATE), host), as_json)


@commands.command()
@with_portal
def remove(api: Api, authority_id: TheId, as_json: AsJson = False) -> None:
    """Stop trusting an authority. The certificates that it revoked stay revoked."""
    removed = api.remove_authority(authority_id)
    show_result(removed, Text(f"Removed {removed.name}."), as_json)


@commands.command("revocation-list")
@with_portal
def revocation_list(
    api: Api,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The list (CRL), in PEM or DER.")],
    as_json: AsJson = False,
) -> None:
    """Upload the newest revocation list of a trusted authority."""
    _show([api.add_revocation_list(as_pem(content(file), REVOCATION_LIST))], as_json)


@commands.command()
@with_portal
def revoke(
    api: Api,
    authority_id: TheId,
    serial: Annotated[str, typer.Argument(metavar="SERIAL", help="The serial number, in hexadecimal.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Revoke one certificate of an authority, for good."""
    authority = api.revoke_certificate(authority_id, serial, reason)
    show_result(authority, Text(f"Revoked a certificate of {authority.name}."), as_json)


@commands.command()
@with_portal
def presented(
    api: Api,
    serial: Annotated[str, typer.Option(metavar="SERIAL", help="Only with this serial number, in hexadecimal.")] = "",
    sha256: Annotated[str, typer.Option(metavar="HEX", help="Only the one with this fingerprint.")] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LONGEST_LIST, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the certificates that were valid when they were presented, the newest first."""
    found = api.client_certificates(serial, sha256, limit)
    show_result(found, each(map(_certificate, found), "No such certificate was presented."), as_json)


def _certificate(one: ClientCertificate) -> Text:
    revoked = f", revoked {moment(one.revoked_at)}" if one.revoked_at else ""
    about = f"  serial {one.serial}, last seen {moment(one.last_seen_at)}, ends {moment(one.ends_at)}{revoked}"
    more = (f"\n  SHA-256 {one.sha256}, of {one.authority}", "bright_black")
    return Text.assemble((one.common_name or "without a common name", "bold"), about, more)


def _show(found: list[CertificateAuthority], as_json: bool) -> None:
    page = each(map(_authority, found), "No authority is trusted, so no client certificate is valid.")
    show_result(found, page, as_json)


def _authority(one: CertificateAuthority) -> Text:
    page = Text.assemble((one.name, "bold"), f"  {one.id}\n  for {', '.join(one.hosts)}, ends {moment(one.ends_at)}")
    if known := one.revocation_list:
        page.append(f"\n  revocation list: {known.revoked} revoked, to be renewed by {moment(known.ends_at)}")
    return page
