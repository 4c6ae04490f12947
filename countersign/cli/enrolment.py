"""enrolment explain: which enrolment rule would answer, and why each before it would not."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from countersign.cli.exits import Code
from countersign.cli.options import AsJson, with_portal
from countersign.cli.output import show_result
from countersign.http import Api
from countersign.question import read_as
from countersign.times import SECOND, duration

if TYPE_CHECKING:
    from countersign.enrolment.explain import EnrolmentExplained

commands = typer.Typer(no_args_is_help=True, help="Find out who may enrol a device.")


@commands.callback()
def enrolment() -> None:
    """Find out who may enrol a device."""


@commands.command()
@with_portal
def explain(
    api: Api,
    person: Annotated[str, typer.Option(metavar="PERSON", help="Whose device it is (default: a machine's).")] = "",
    source_address: Annotated[str, typer.Option(metavar="ADDRESS", help="The IP address it connects from.")] = "",
    country: Annotated[
        str, typer.Option(metavar="LETTERS", help="The country, such as DE (default: that of the address).")
    ] = "",
    login_method: Annotated[str, typer.Option(metavar="METHOD", help="How the person signed in.")] = "",
    claim: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A claim of the identity provider; may be repeated.")
    ] = None,
    service_token: Annotated[str, typer.Option(metavar="ID", help="The id of its service token.")] = "",
    common_name: Annotated[
        str, typer.Option(metavar="NAME", help="The common name of a valid client certificate that it presents.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show which enrolment rule would match, and why each rule before it does not. Admins only.

    Registers nothing, but calls the external evaluations of the rules that are tried.
    """
    # Other commands need not load the rules.
    from countersign.enrolment.explain import EnrolmentQuestion, claims_of

    asked = {"person": person, "source_address": source_address, "country": country, "login_method": login_method}
    asked |= {"service_token": service_token, "common_name": common_name}
    given = {name: value for name, value in asked.items() if value} | {"claims": claims_of(claim or [])}
    found = api.explain_enrolment(read_as(EnrolmentQuestion, given))
    show_result(found, _page(found), as_json)
    raise typer.Exit(Code.OK if found.admitted else Code.NO)


def _page(found: "EnrolmentExplained") -> Text:
    page = Text(found.message, style="bold")
    lines = [f"Country: {found.facts.country}."] if found.facts.country else []
    if found.justification:
        lines.append("Whoever registers has to say why.")
    if found.session_seconds:
        lines.append(f"It may connect for {duration(found.session_seconds * SECOND)}, and then registers again.")
    if found.tried:
        lines.append("Tried before, without a match:")
    page.append("".join(f"\n{one}" for one in lines), style="default")
    for one in found.tried:
        page.append(f"\n  {one.rule}", style="default").append(f" ({one.action})  {one.why}", style="bright_black")
    return page
