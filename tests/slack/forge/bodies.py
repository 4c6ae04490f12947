"""Bodies that are not what was signed, and bodies that Slack never signs: no form, no payload, no JSON, no end."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from urllib.parse import urlencode

from tests.slack.forge.aim import Aim
from tests.slack.forge.posts import PostChange, header
from tests.slack.forge.sending import CONTENT, Post

JSON = "application/json"
TOO_MUCH = b"x" * 1_100_000


def _body(made: Callable[[bytes], bytes]) -> PostChange:
    """Change the body after it was signed."""

    def change(post: Post, _: Aim) -> None:
        post.body = made(post.body)

    return change


def _to_other(post: Post, aim: Aim) -> None:
    post.body = post.body.replace(str(aim.request.id).encode(), str(aim.other.id).encode())


def _of(payload: object) -> bytes:
    return urlencode({"payload": json.dumps(payload)}).encode()


CHANGED: dict[str, PostChange] = {
    "another user": _body(lambda body: body.replace(b"UGRACE", b"UIVAN")),
    "another request": _to_other,
    "another button": _body(lambda body: body.replace(b"approve", b"reject")),
    "bytes behind": _body(lambda body: body + b"&x=1"),
    "a space behind": _body(lambda body: body + b" "),
    "a line behind": _body(lambda body: body + b"\n"),
    "a NUL behind": _body(lambda body: body + b"\0"),
    "bytes before": _body(lambda body: b"x=1&" + body),
    "cut short": _body(lambda body: body[:-10]),
    "nothing left": _body(lambda _: b""),
    "written otherwise": _body(lambda body: body.replace(b"%22", b'"')),
    "a second payload": lambda post, aim: _body(lambda body: body + b"&" + _of(aim.click("reject")))(post, aim),
    "a payload before it": lambda post, aim: _body(lambda body: _of(aim.click("reject")) + b"&" + body)(post, aim),
    "JSON in place of the form": lambda post, aim: _body(lambda _: json.dumps(aim.click()).encode())(post, aim),
    "not UTF-8": _body(lambda body: b"\xff\xfe" + body),
    "UTF-16": _body(lambda body: body.decode().encode("utf-16")),
    "a mark before it": _body(lambda body: b"\xef\xbb\xbf" + body),
    "compressed": _body(gzip.compress),
    "too much": _body(lambda _: TOO_MUCH),
    "an address check of somebody": _body(lambda _: b'{"type": "url_verification", "challenge": "x"}'),
    "a certificate check of somebody": _body(lambda body: b"ssl_check=1&" + body),
}


def _signed(body: bytes, kind: str = "") -> PostChange:
    """Replace the body, and sign it validly."""

    def change(post: Post, _: Aim) -> None:
        post.body = body
        post.sign()
        if kind:
            post.headers[CONTENT] = [kind]

    return change


SIGNED: dict[str, PostChange] = {
    "empty": _signed(b""),
    "no form": _signed(b"approve"),
    "an empty payload": _signed(b"payload="),
    "no payload": _signed(b"other=1"),
    "a payload in other letters": lambda post, _: _signed(b"P" + post.body[1:])(post, _),
    "half a payload": lambda post, _: _signed(post.body[: len(post.body) // 2])(post, _),
    "a payload that is no JSON": _signed(b"payload=approve"),
    "a payload that is a list": _signed(_of([1])),
    "a payload that is a text": _signed(_of("approve")),
    "a payload that is null": _signed(_of(None)),
    "a payload that is a number": _signed(_of(1)),
    "a payload that is no number": _signed(b"payload=NaN"),
    "a payload of many digits": _signed(b"payload=" + b"1" * 9000),
    "a payload in a payload": lambda post, aim: _signed(_of({"payload": json.dumps(aim.click())}))(post, aim),
    "a payload as text in JSON": lambda post, aim: _signed(_of(json.dumps(aim.click())))(post, aim),
    "a list of clicks": lambda post, aim: _signed(_of([aim.click(), aim.click()]))(post, aim),
    "bytes that are no UTF-8 in it": _signed(b"payload=%ff%fe"),
    "no UTF-8": _signed(b"\xff\xfe" * 50),
    "deep lists": _signed(b"[" * 100_000, JSON),
    "deep maps": _signed(b'{"a":' * 100_000, JSON),
    "deep lists in a form": _signed(b"payload=" + b"[" * 100_000),
    "deep in a click": lambda post, aim: _signed(_of(aim.click() | {"user": {}}).replace(b"%7B%7D", b"[" * 90_000))(
        post, aim
    ),
    "many fields": _signed(b"&".join(b"a%d=1" % n for n in range(50_000))),
    "a form said to be JSON": lambda post, _: _signed(post.body, JSON)(post, _),
    "compressed": lambda post, _: (_signed(gzip.compress(post.body))(post, _), header("Content-Encoding", "gzip")),
    "in parts": lambda post, _: _signed(
        b'--x\r\nContent-Disposition: form-data; name="payload"\r\n\r\n' + post.body + b"\r\n--x--\r\n",
        "multipart/form-data; boundary=x",
    )(post, _),
    "a certificate check": _signed(b"ssl_check=1&token=x"),
    "too much": _signed(TOO_MUCH),
}
