"""A browser without JavaScript for one person: opens pages, fills in forms, presses buttons, keeps cookies."""

from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx
from justhtml import JustHTML, Node

SECONDS = 60.0


class NoSuchButton(Exception):
    """The page has no such button; the text is for people."""


@dataclass(frozen=True)
class Page:
    """A page as it was received."""

    address: str
    status: int
    document: JustHTML

    @property
    def heading(self) -> str:
        """Its one heading."""
        return _text(self.document.query_one("h1"))

    @property
    def text(self) -> str:
        """All that stands below the heading."""
        return _text(self.document.query_one("main")).removeprefix(self.heading).strip()

    def form_of(self, button: str) -> tuple[str, dict[str, str]]:
        """Where the form of the first button with this beginning leads, and what it sends when that is pressed."""
        for form in self.document.query("form"):
            for one in form.query("button"):
                if _text(one).startswith(button):
                    return urljoin(self.address, _attribute(form, "action")), _fields(form) | _named(one)
        raise NoSuchButton(f"the page “{self.heading}” has no button “{button}”")


class Browser:
    """One person's browser. Raises httpx.HTTPError, NoSuchButton."""

    def __init__(self) -> None:
        self._http = httpx.AsyncClient(follow_redirects=True, timeout=SECONDS, trust_env=False)

    async def open(self, address: str) -> Page:
        """Open an address."""
        return _page(await self._http.get(address))

    async def press(self, page: Page, button: str, **fields: str) -> Page:
        """Fill in the form of a button, and press the button."""
        address, known = page.form_of(button)
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(page.address))
        return _page(await self._http.post(address, data=known | fields, headers={"Origin": origin}))

    async def close(self) -> None:
        """Close the browser; its cookies are gone."""
        await self._http.aclose()


def _page(answer: httpx.Response) -> Page:
    return Page(str(answer.url), answer.status_code, JustHTML(answer.text, sanitize=False))


def _fields(form: Node) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in form.query("input, textarea"):
        found |= _named(one)
    return found


def _named(element: Node) -> dict[str, str]:
    name, value = _attribute(element, "name"), _attribute(element, "value")
    return {name: value or (_text(element) if element.name == "textarea" else "")} if name else {}


def _attribute(element: Node, name: str) -> str:
    return (element.attrs or {}).get(name) or ""


def _text(element: Node | None) -> str:
    return " ".join(element.to_text().split()) if element else ""
