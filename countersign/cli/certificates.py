"""certificate-authority: whose client certificates are trusted, what is revoked, and what was presented."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from countersign.certificates import CERTIFICATE, REVOCATION_LIST, CertificateAuthority, as_pem
from countersign.cli.files import content
from countersign.cli.options import DEFAULT_URL, AsJson, Token, Url, connect
from countersign.cli.output import show, show_json
from countersign.times import moment

LONGEST_LIST = 200

commands = typer.Typer(no_args_is_help=True, help="Client certificates: whose are trusted, and which are revoked.")

TheId = Annotated[str, typer.Argument(metavar="AUTHORITY_ID", help="The authority's id, as `list` shows it.")]


@commands.command("list")
def list_(url: Url = DEFAULT_URL, token: Token = "", as_json: AsJson = False) -> None:
    """List the authorities that are trusted, their host names, and their revocation lists."""
    with connect(url, token) as api:
        found = api.certificate_authorities()
    _show(found, as_json)
    if not (found or as_json):
        show(Text("No authority is trusted, so no client certificate is valid."))


@commands.command()
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Their certificates, in PEM; or one, in DER.")],
    host: Annotated[list[str], typer.Option(metavar="NAME", help="A host name it is trusted for; may be repeated.")],
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Trust certificate authorities for these host names."""
    with connect(url, token) as api:
        _show(api.trust_authorities(as_pem(content(file), CERTIFICATE), host), as_json)


@commands.command()
def remove(authority_id: TheId, url: Url = DEFAULT_URL, token: Token = "", as_json: AsJson = False) -> None:
    """Trust an authority no longer. What it has revoked stays revoked."""
    with connect(url, token) as api:
        _changed("Removed", api.remove_authority(authority_id), as_json)


@commands.command("revocation-list")
def revocation_list(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The list (CRL), in PEM or DER.")],
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Upload the newest revocation list of a trusted authority."""
    with connect(url, token) as api:
        _show([api.add_revocation_list(as_pem(content(file), REVOCATION_LIST))], as_json)


@commands.command()
def revoke(
    authority_id: TheId,
    serial: Annotated[str, typer.Argument(metavar="SERIAL", help="Its serial number, in hexadecimal.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")] = "",
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """Revoke one certificate of an authority, for good."""
    with connect(url, token) as api:
        _changed("Revoked a certificate of", api.revoke_certificate(authority_id, serial, reason), as_json)


@commands.command()
def presented(
    serial: Annotated[str, typer.Option(metavar="SERIAL", help="Only those with this, in hexadecimal.")] = "",
    sha256: Annotated[str, typer.Option(metavar="HEX", help="Only the one with this fingerprint.")] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=LONGEST_LIST, help="How many at most.")] = 50,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: AsJson = False,
) -> None:
    """List the certificates that were presented and valid, the newest first."""
    with connect(url, token) as api:
        found = api.client_certificates(serial, sha256, limit)
    if as_json:
        show_json(found)
        return
    for one in found:
        revoked = f", revoked {moment(one.revoked_at)}" if one.revoked_at else ""
        about = f"  serial {one.serial}, last seen {moment(one.last_seen_at)}, ends {moment(one.ends_at)}{revoked}"
        show(Text.assemble((one.common_name or "without a common name", "bold"), about))
        show(Text(f"  SHA-256 {one.sha256}, of {one.authority}", style="bright_black"))
    if not found:
        show(Text("No such certificate was presented."))


def _changed(what: str, authority: CertificateAuthority, as_json: bool) -> None:
    if as_json:
        show_json(authority)
    else:
        show(Text(f"{what} {authority.name}."))


def _show(found: list[CertificateAuthority], as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    for one in found:
        show(Text.assemble((one.name, "bold"), f"  {one.id}"))
        show(Text(f"  for {', '.join(one.hosts)}, ends {moment(one.ends_at)}"))
        if known := one.revocation_list:
            show(Text(f"  revocation list: {known.revoked} revoked, to be renewed by {moment(known.ends_at)}"))
