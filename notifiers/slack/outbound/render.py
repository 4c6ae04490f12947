"""The texts of `templates/slack`, filled in: those of `.plain.j2` are plain text, all others Slack's markup."""

from functools import cache

from countersign import times
from notifiers.slack.outbound import escaping
from notifiers.templates import Templates


def markup(name: str, /, **values: object) -> str:
    """What a template says, in Slack's markup; "" if it says nothing."""
    return _environment(plain=False).get_template(f"{name}.j2").render(values).strip()


def plain(name: str, /, **values: object) -> str:
    """What a template says, on one line of plain text."""
    return _environment(plain=True).get_template(f"{name}.plain.j2").render(values).strip()


def label(name: str) -> str:
    """A text that is always the same, as on a button or a form's field; KeyError for none of that name."""
    return _labels()[name]


@cache
def _labels() -> dict[str, str]:
    """Each line of the template is `name: text`."""
    lines = (line.partition(":") for line in plain("labels").splitlines())
    return {name: text.strip() for name, _, text in lines}


@cache
def _environment(plain: bool) -> Templates:
    # Not HTML, so nothing is escaped as HTML: what is printed is made harmless for Slack instead.
    environment = Templates("slack", finalize=escaping.one_line if plain else escaping.marked_up)
    # The longest value in the text about a subject; a template with less room sets it lower.
    environment.globals["longest"] = escaping.LONGEST_VALUE
    environment.filters |= {"moment": escaping.moment, "duration": times.duration, "code": escaping.code}
    return environment
