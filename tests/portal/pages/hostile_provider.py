"""A provider of OpenID Connect that says whatever a test wants, signed or forged as it wants."""

import json
import time
from base64 import urlsafe_b64encode
from typing import Any, Self

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from sandbox.temporal_server import free_port
from tests.oidc import CLIENT_ID, CLIENT_SECRET


def encoded(part: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


class HostileProvider:
    """Runs for as long as the `async with` block lasts."""

    def __init__(self) -> None:
        port = free_port()
        self.issuer = f"http://127.0.0.1:{port}"
        self._port = port
        self._token: str | None = None
        self.change_key()
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._configuration)
        app.router.add_get("/jwks", self._jwks)
        app.router.add_post("/token", self._tokens)
        self._runner = web.AppRunner(app)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def change_key(self) -> None:
        """Sign with a new key from now on."""
        self._key = ECKey.generate_key("P-256", auto_kid=True)

    def say(self, claims: dict[str, Any], forged: str = "") -> None:
        """Answer the next code with these claims; those that are None are left out."""
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": CLIENT_ID, "sub": "1", "iat": now, "exp": now + 60}
        said = {name: value for name, value in (usual | claims).items() if value is not None}
        header = {"alg": "ES256", "kid": self._key.kid}
        if forged == "none":
            self._token = ".".join([encoded({"alg": "none"}), encoded(said), ""])
        elif forged == "HS256":
            self._token = jwt.encode(header | {"alg": "HS256"}, said, OctKey.import_key(CLIENT_SECRET))
        elif forged == "stranger's key":
            self._token = jwt.encode(header, said, ECKey.generate_key("P-256"))
        else:
            self._token = jwt.encode(header, said, self._key)
        if forged == "cut":
            self._token = self._token.rpartition(".")[0] + "."
        elif forged == "nothing":
            self._token = None

    async def _configuration(self, _: web.Request) -> web.Response:
        places = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "jwks"}
        addresses = {name: f"{self.issuer}/{place}" for name, place in places.items()}
        return web.json_response({"issuer": self.issuer, **addresses})

    async def _jwks(self, _: web.Request) -> web.Response:
        return web.json_response(KeySet([self._key]).as_dict(private=False))

    async def _tokens(self, _: web.Request) -> web.Response:
        tokens = {"access_token": "a", "token_type": "Bearer"}
        return web.json_response(tokens | ({"id_token": self._token} if self._token else {}))
