"""Posts that Slack did not sign, or not now, or that come to another place."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote

from tests.slack.forge.aim import Aim
from tests.slack.forge.kinds import Act, Kind
from tests.slack.forge.sending import SIGNATURE, STAMP, Post

PostChange = Callable[[Post, Aim], object]


def header(name: str, *values: str) -> PostChange:
    """Set the header to these values, or remove it if there are none."""
    return lambda post, _: post.headers.update({name: list(values)}) if values else post.headers.pop(name)


def _signature(made: Callable[[str], str]) -> PostChange:
    """Replace the signature by what `made` makes of it."""
    return lambda post, _: post.headers.update({SIGNATURE: [made(post.headers[SIGNATURE][0])]})


def _digest(made: Callable[[Post, bytes], str]) -> PostChange:
    """Sign the right text in another way."""
    return lambda post, _: post.headers.update(
        {SIGNATURE: [made(post, f"v0:{post.headers[STAMP][0]}:".encode() + post.body)]}
    )


def _doubled(post: Post, _: Aim) -> None:
    post.headers[SIGNATURE] = ["v0=" + "0" * 64, *post.headers[SIGNATURE]]


def _joined(post: Post, _: Aim) -> None:
    post.headers[SIGNATURE] = ["v0=" + "0" * 64 + "," + post.headers[SIGNATURE][0]]


def _in_query(post: Post, _: Aim) -> None:
    post.url += f"?{SIGNATURE}={post.headers.pop(SIGNATURE)[0]}&{STAMP}={post.headers[STAMP][0]}"


def _in_body(post: Post, _: Aim) -> None:
    post.body += f"&signature={quote(post.headers.pop(SIGNATURE)[0])}".encode()


SIGNATURES: dict[str, PostChange] = {
    "no signature": header(SIGNATURE),
    "neither signature nor time": lambda post, _: [post.headers.pop(each) for each in (SIGNATURE, STAMP)],
    "an empty signature": header(SIGNATURE, ""),
    "a wrong signature": header(SIGNATURE, "v0=" + "0" * 64),
    "a signature of another length": header(SIGNATURE, "v0=" + "0" * 40),
    "a very long signature": _signature(lambda one: one + "0" * 4000),
    "no digest": header(SIGNATURE, "v0="),
    "no text": header(SIGNATURE, "true"),
    "letters beyond ASCII": header(SIGNATURE, "v0=" + "é" * 64),
    "fullwidth digits in a signature": _signature(lambda one: one.replace("1", "１").replace("2", "２")),
    "a truncated signature": _signature(lambda one: one[:-1]),
    "half a signature": _signature(lambda one: one[:35]),
    "one digit too many": _signature(lambda one: one + "0"),
    "one digit changed": _signature(lambda one: one[:-1] + ("0" if one[-1] != "0" else "1")),
    "the digest backwards": _signature(lambda one: "v0=" + one[:2:-1]),
    "the version named otherwise": _signature(lambda one: "v1" + one[2:]),
    "no version": _signature(lambda one: one[3:]),
    "a digest in capitals": _signature(lambda one: "v0=" + one[3:].upper()),
    "a version in capitals": _signature(lambda one: "V" + one[1:]),
    "a space within": _signature(lambda one: "v0= " + one[3:]),
    "a quoted signature": _signature(lambda one: f'"{one}"'),
    "the scheme of others": _signature(lambda one: "sha256=" + one[3:]),
    "a bearer": _signature(lambda one: f"Bearer {one}"),
    "another signature before it": _doubled,
    "two in one": _joined,
    "the signature in the address": _in_query,
    "the signature in the body": _in_body,
    "another secret": lambda post, _: post.sign(secret="guessed"),
    "the bot's token as secret": lambda post, aim: post.sign(secret=aim.context.slack.bot_token),
    "the app's token as secret": lambda post, aim: post.sign(secret=aim.context.slack.app_token),
    "the secret in capitals": lambda post, _: post.sign(secret=post.secret.upper()),
    "half of the secret": lambda post, _: post.sign(secret=post.secret[:16]),
    "the secret's bytes": _digest(
        lambda post, text: "v0=" + hmac.new(bytes.fromhex(post.secret), text, hashlib.sha256).hexdigest()
    ),
    "signed by another version": lambda post, _: post.sign(version="v1"),
    "signed without a version": _digest(
        lambda post, text: "v0=" + hmac.new(post.secret.encode(), text[3:], hashlib.sha256).hexdigest()
    ),
    "the body alone is signed": _digest(
        lambda post, _: "v0=" + hmac.new(post.secret.encode(), post.body, hashlib.sha256).hexdigest()
    ),
    "sha1": _digest(lambda post, text: "v0=" + hmac.new(post.secret.encode(), text, hashlib.sha1).hexdigest()),
    "sha512": _digest(lambda post, text: "v0=" + hmac.new(post.secret.encode(), text, hashlib.sha512).hexdigest()[:64]),
    "a hash without the secret": _digest(lambda _, text: "v0=" + hashlib.sha256(text).hexdigest()),
    "base64": _digest(
        lambda post, text: (
            "v0=" + base64.b64encode(hmac.new(post.secret.encode(), text, hashlib.sha256).digest()).decode()
        )
    ),
}


def _at(seconds: float) -> PostChange:
    """Sign validly, for a time this many seconds from now."""
    return lambda post, _: post.sign(at=str(int(time.time() + seconds)))


def _at_text(made: Callable[[str], str]) -> PostChange:
    """Sign validly, with the time written in this way."""
    return lambda post, _: post.sign(at=made(str(int(time.time()))))


TIMES: dict[str, PostChange] = {
    "no time": header(STAMP),
    "an empty time": header(STAMP, ""),
    "five minutes old": _at(-302),
    "a day old": _at(-86_400),
    "five minutes ahead": _at(310),
    "a year ahead": _at(31_536_000),
    "the beginning of time": _at_text(lambda _: "0"),
    "before all time": _at_text(lambda now: f"-{now}"),
    "no number": _at_text(lambda _: "now"),
    "not a number": _at_text(lambda _: "nan"),
    "without end": _at_text(lambda _: "inf"),
    "huge": _at_text(lambda _: "9" * 12),
    "beyond all integers": _at_text(lambda _: "9" * 5000),
    "milliseconds": _at_text(lambda now: now + "000"),
    "a fraction": _at_text(lambda now: now + ".0"),
    "an exponent": _at_text(lambda now: now + "e0"),
    "hexadecimal": _at_text(lambda now: hex(int(now))),
    "an underscore": _at_text(lambda now: now[:4] + "_" + now[4:]),
    "a plus sign": _at_text(lambda now: "+" + now),
    "a space within": _at_text(lambda now: now[:4] + " " + now[4:]),
    "fullwidth digits": _at_text(lambda now: now.translate(str.maketrans("0123456789", "０１２３４５６７８９"))),
    "a date": _at_text(lambda _: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())),
    "another time than was signed": header(STAMP, str(int(time.time()) + 60)),
    "an old signature at a new time": lambda post, _: (
        post.sign(at=str(int(time.time()) - 900)),
        post.headers.update({STAMP: [str(int(time.time()))]}),
    ),
    "another time before it": lambda post, _: post.headers[STAMP].insert(0, str(int(time.time()) + 7)),
}


def _elsewhere(path: str) -> PostChange:
    def change(post: Post, _: Aim) -> None:
        post.url += path

    return change


def _by(method: str) -> PostChange:
    def change(post: Post, _: Aim) -> None:
        post.method = method

    return change


ELSEWHERE: dict[str, PostChange] = {
    "below the address": _elsewhere("/interactive"),
    "another channel's address": lambda post, _: setattr(post, "url", post.url.replace("/slack/", "/teams/")),
    "the address in capitals": lambda post, _: setattr(post, "url", post.url.replace("/slack/", "/SLACK/")),
    **{f"by {method}": _by(method) for method in ("GET", "PUT", "PATCH", "DELETE")},
}


def posts(changes: Mapping[str, PostChange], *answers: int) -> list[Kind]:
    """A kind for each change of a genuine post; the record shows no refusal of any."""

    def acting(change: PostChange) -> Act:
        async def act(aim: Aim) -> int:
            post = Post.of(aim.context, aim.click())
            change(post, aim)
            return await post.send()

        return act

    return [Kind(name, acting(change), recorded=False, answers=frozenset(answers)) for name, change in changes.items()]
