"""Fills in the `recipes`: files with which nginx or Caddy asks the portal who may pass to web applications."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from countersign.errors import BadQuestion
from countersign.gates.config import GateConfig, Target, read_config
from countersign.gates.http_relay import PROTOCOL, HttpSection
from countersign.gates.install import File, State, file
from countersign.gates.protocol import CONFIG
from countersign.gates.service_files import service_files

RECIPES = Path(__file__).parent / "recipes"
SKELETON = """\
url = "https://access.example.com"
token_file = "/etc/countersign/gate.token"
grace = "5m"
retry_within = "60s"

[http]
# The account that the proxy runs as.
proxy_user = "PROXY_USER"
# Where the proxy reaches the portal itself, without the server with TLS in front of that.
portal = "127.0.0.1:8080"
# As in the policy: the device that people ask for to reach the application of a host.
applications = { "grafana.example.com" = "grafana" }

[devices.grafana]
address = "127.0.0.1"
ports = { http = 3000 }
"""
NO_APPLICATION = (
    f"{CONFIG} names no web application: give it a section [http] with `proxy_user`, and with `applications`, "
    "each host and its device."
)
NO_PORT = f"{CONFIG} does not say where {{}} is reached by http: give it an address in `devices`, and a port for http."


class Proxy(NamedTuple):
    """How a proxy is set up on Debian: its folder for these files, its account, and how it names a Unix socket."""

    folder: str
    site: str
    user: str
    unix: str
    # Whether it reads its files as root, before it becomes `user`.
    reads_as_root: bool


PROXIES = {
    "nginx": Proxy("/etc/nginx/countersign", "conf", "www-data", "unix:", reads_as_root=True),
    "caddy": Proxy("/etc/caddy/countersign", "Caddyfile", "caddy", "unix/", reads_as_root=False),
}


def http_install_files(proxy: str, relay: bool, ready_only: bool) -> list[File]:
    """The configuration, the service's unit with `relay`, and the proxy's files for what the configuration names.

    Until somebody has filled in the configuration, the proxy's files are examples. `ready_only` leaves them out, as the
    proxy would not start without their certificates. Raises BadQuestion for what the configuration lacks or has wrong.
    """
    config, unit = service_files(SKELETON.replace("PROXY_USER", PROXIES[proxy].user))
    files = [config, unit] if relay else [config]
    if config.state is State.EDITED:
        return files + proxy_files(proxy, read_config(config.path), relay)
    example = GateConfig.model_validate(tomllib.loads(config.text))
    return files if ready_only else files + proxy_files(proxy, example, relay)


def proxy_files(proxy: str, config: GateConfig, relay: bool) -> list[File]:
    """A file with the token for each device, and one for each application; BadQuestion if none is named."""
    if config.http is None or not config.http.applications:
        raise BadQuestion(NO_APPLICATION)
    return [*_headers(proxy, config.http), *_sites(proxy, config.http, config.devices, relay)]


def _headers(proxy: str, http: HttpSection) -> Iterator[File]:
    its = PROXIES[proxy]
    recipe = (RECIPES / proxy / "application.headers").read_text()
    owner = None if its.reads_as_root else http.proxy_user
    for device in dict.fromkeys(http.applications.values()):
        text = _filled_in(recipe, {'"grafana"': f'"{device}"'})
        yield file(f"{its.folder}/{device}.headers", text, 0o600, to_fill=True, owner=owner)


def _sites(proxy: str, http: HttpSection, devices: Mapping[str, Target], relay: bool) -> Iterator[File]:
    its = PROXIES[proxy]
    recipe = (RECIPES / proxy / f"application.{its.site}").read_text()
    for host, device in http.applications.items():
        if device not in devices or PROTOCOL not in devices[device].ports:
            raise BadQuestion(NO_PORT.format(device))
        values = {
            "grafana.example.com": host,
            "grafana.headers": f"{device}.headers",
            "127.0.0.1:8080": http.portal,
            "127.0.0.1:3000": f"{its.unix}{http.socket_of(device)}" if relay else _place(devices[device]),
        }
        yield file(f"{its.folder}/{host}.{its.site}", _filled_in(recipe, values))


def _place(target: Target) -> str:
    bare_v6 = ":" in target.address and not target.address.startswith("[")
    return f"{f'[{target.address}]' if bare_v6 else target.address}:{target.ports[PROTOCOL]}"


def _filled_in(recipe: str, values: Mapping[str, str]) -> str:
    """The recipe with its examples replaced by values, all at once, as a value may contain another example."""
    return re.sub("|".join(map(re.escape, values)), lambda example: values[example[0]], recipe)
