"""`countersign gate install`: what it writes on a host of its own, and what sshd, nginx and Caddy make of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.ssh_hosts import Host, NoSsh, check_ssh
from tests.authority import SERVER, Authority
from tests.countersign.installation import COMMAND
from tests.tls_proxies import NGINX, found

SSHD = "etc/ssh/sshd_config.d/10-countersign.conf"
CONFIG, UNIT = "/etc/countersign/gate.toml", "/etc/systemd/system/countersign-gate.service"
SECONDS = 60
# Where each proxy has its certificate and key. Below: its account, the owner of its file with the token (None: its
# account), the extension of its other files, and where its relay is.
CERTIFICATES = {
    "nginx": ("/etc/ssl/{}.pem", "/etc/ssl/private/{}.key"),
    "caddy": ("/etc/caddy/countersign/{}.pem", "/etc/caddy/countersign/{}.key"),
}
PROXIES = {
    "nginx": ("www-data", 0, "conf", "http://unix:/run/countersign/http/{}.sock;"),
    "caddy": ("caddy", None, "Caddyfile", "unix//run/countersign/http/{}.sock\n"),
}
EXAMPLE = "grafana.example.com"
FILLED_IN = """
url = "https://access.example.com"
token_file = "/etc/countersign/gate.token"
[http]
proxy_user = "{user}"
portal = "[::1]:8081"
applications = {{ "grafana.example.com" = "dashboards", "Wiki.example.com" = "wiki", "notes.example.com" = "wiki" }}
[devices]
dashboards = {{ address = "10.0.0.5", ports = {{ http = 3000 }} }}
wiki = {{ address = "fd00::7", ports = {{ http = 80 }} }}
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    try:
        check_ssh()
    except NoSsh as error:
        pytest.skip(str(error))
    with Host() as made:
        made.add_people(["alice"], "countersign", "/bin/sh")
        yield made


def ran(host: Host, *options: str, code: int = 0, user: str = "root") -> subprocess.CompletedProcess[str]:
    command = host.inside("setpriv", "--reuid", user, "--clear-groups", COMMAND, "gate", "install", *options)
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done


def install(host: Host, *options: str, code: int = 0, user: str = "root") -> str:
    done = ran(host, *options, code=code, user=user)
    return done.stdout + done.stderr


def files(host: Host, *options: str) -> dict[str, Any]:
    return {one["path"]: one for one in json.loads(ran(host, "--json", *options).stdout)}


def states(host: Host, *options: str) -> dict[str, str]:
    return {path: one["state"] for path, one in files(host, "ssh", *options).items()}


def sshd_says(host: Host, user: str) -> set[str]:
    return set(host.run("/usr/sbin/sshd", "-T", "-C", f"user={user},host=any,addr=192.0.2.7").splitlines())


def test_files_are_written_once_and_those_that_somebody_changed_stay(host: Host) -> None:
    shown = install(host, "ssh")
    assert f"/{SSHD} (mode 0644) is not there" in shown
    assert "    DisableForwarding yes" in shown
    assert not (host.files / SSHD).exists()
    assert set(states(host, "--write").values()) == {"was written"}
    assert set(states(host, "--write").values()) == {"is there as it should be"}
    written = (host.files / SSHD).read_text()
    # As if an earlier version wrote it: its first line still matches the rest, so it is replaced.
    install(host, "ssh", "--write", "--group", "adm")
    assert "Match Group adm" in (host.files / SSHD).read_text()
    (host.files / SSHD).write_text(written.replace("ClientAliveInterval 15", "ClientAliveInterval 5"))
    assert states(host, "--write")[f"/{SSHD}"] == "was changed by somebody, and is left as it is"
    assert "ClientAliveInterval 5" in (host.files / SSHD).read_text()
    assert states(host, "--write", "--force")[f"/{SSHD}"] == "was written"
    assert (host.files / SSHD).read_text() == written
    assert (host.files / SSHD).stat().st_mode & 0o777 == 0o644


def test_the_service_alone_is_its_configuration_and_its_unit(host: Host) -> None:
    assert list(files(host, "service")) == [CONFIG, UNIT]
    host.run("rm", "-rf", "/etc/countersign")
    assert "Next: fill in /etc/countersign/gate.toml, and start the service." in install(host, "service", "--write")


def test_sshd_takes_it_and_binds_the_group_alone_by_it(host: Host) -> None:
    install(host, "ssh", "--write", "--force")
    host.run("/usr/sbin/sshd", "-t")
    for_people, for_root = sshd_says(host, "alice"), sshd_says(host, "root")
    wanted = {
        "disableforwarding yes",
        "x11forwarding no",
        "allowagentforwarding no",
        "permittunnel no",
        "permittty no",
        "permituserrc no",
        "acceptenv COUNTERSIGN_WAIT",
        "authenticationmethods publickey",
        "authorizedkeysfile /etc/countersign/keys/%u",
        "clientaliveinterval 15",
    }
    assert wanted <= for_people
    assert not {one for one in for_people if one.startswith("acceptenv") and "COUNTERSIGN" not in one}
    assert next(one for one in for_people if one.startswith("forcecommand ")).endswith("/countersign-gate ssh")
    assert {"forcecommand none", "disableforwarding no", "permituserenvironment no"} <= for_root


def test_only_root_can_write_and_is_told_to(host: Host) -> None:
    (host.files / SSHD).unlink(missing_ok=True)
    assert "Run this as root." in install(host, "ssh", "--write", "--force", code=3, user="alice")
    assert not (host.files / SSHD).exists()


def test_no_group_brings_lines_of_its_own_into_the_configuration(host: Host) -> None:
    assert "not the name of a Unix group" in install(host, "ssh", "--group", "x\nPermitTTY yes", code=2)


@pytest.fixture(params=sorted(PROXIES))
def proxy(request: pytest.FixtureRequest, host: Host) -> str:
    """A proxy on a host where nothing has been written for it yet."""
    if found(request.param) is None:
        pytest.skip(f"{request.param} is not installed (Debian's package is {request.param})")
    host.run("rm", "-rf", "/etc/countersign", "/etc/nginx/countersign", "/etc/caddy/countersign")
    return str(request.param)


def must_take(host: Host, proxy: str, names: list[str]) -> None:
    """Check that the proxy accepts what was installed, once the certificates are there."""
    user, _, site, _ = PROXIES[proxy]
    for name in names:
        issued = Authority("Servers").issue(name, [SERVER], [name])
        certificate, key = (place.format(name) for place in CERTIFICATES[proxy])
        host.write(certificate, issued.pem)
        host.write(key, issued.key_pem, 0o600, owner=user)
    # As on Debian, whatever this host has.
    host.run("install", "-d", "-m", "700", "/etc/ssl/private")
    host.run("install", "-d", "-o", user, "/run/proxy")
    everything = f"/etc/{proxy}/countersign/*.{site}"
    if proxy == "nginx":
        host.write("/run/proxy/countersign.conf", f"include {everything};\n")
        host.write("/run/proxy/nginx.conf", NGINX.format(home="/run/proxy", user=f"user {user};"))
        host.run(str(found("nginx")), "-t", "-p", "/run/proxy", "-e", "stderr", "-c", "/run/proxy/nginx.conf")
    else:
        host.write("/run/proxy/Caddyfile", f"{{\n\tadmin unix//run/proxy/admin.sock\n}}\nimport {everything}\n")
        own = ["setpriv", "--reuid", user, "--clear-groups", "env", "HOME=/run/proxy"]
        given = ["--config", "/run/proxy/Caddyfile", "--adapter", "caddyfile"]
        host.run(*own, str(found("caddy")), "validate", *given)


def test_a_proxy_takes_its_files_and_only_who_has_to_can_read_the_token(host: Host, proxy: str) -> None:
    user, token_owner, site, relay = PROXIES[proxy]
    headers, application = (f"/etc/{proxy}/countersign/{one}" for one in ("grafana.headers", f"{EXAMPLE}.{site}"))
    shown = files(host, "http", "--proxy", proxy)
    assert list(shown) == [CONFIG, UNIT, headers, application]
    assert relay.format("grafana") in shown[application]["text"]
    assert f'proxy_user = "{user}"' in shown[CONFIG]["text"]
    # The example isn't written for the proxy, which could not start with it.
    assert list(files(host, "http", "--proxy", proxy, "--write")) == [CONFIG, UNIT]
    host.write(CONFIG, shown[CONFIG]["text"].replace('//access.example.com"', '//access.example.org"'))
    files(host, "http", "--proxy", proxy, "--write")
    about = (host.files / headers.lstrip("/")).stat()
    assert about.st_mode & 0o777 == 0o600
    assert about.st_uid == (int(host.run("id", "-u", user)) if token_owner is None else token_owner)
    again = files(host, "http", "--proxy", proxy)
    assert {one["state"] for path, one in again.items() if path != CONFIG} == {"is there as it should be"}
    must_take(host, proxy, [EXAMPLE])


def test_what_gate_toml_says_goes_into_the_proxys_files(host: Host, proxy: str) -> None:
    user, _, site, relay = PROXIES[proxy]
    host.write(CONFIG, FILLED_IN.format(user=user))
    written = files(host, "http", "--proxy", proxy, "--write")
    names = [EXAMPLE, "wiki.example.com", "notes.example.com"]
    devices = dict(zip(names, ("dashboards", "wiki", "wiki"), strict=True))
    folder = f"/etc/{proxy}/countersign"
    headers = [f"{folder}/{device}.headers" for device in ("dashboards", "wiki")]
    assert list(written) == [CONFIG, UNIT, *headers, *(f"{folder}/{name}.{site}" for name in names)]
    for name, device in devices.items():
        text = written[f"{folder}/{name}.{site}"]["text"]
        assert relay.format(device) in text
        assert all(place.format(name) in text for place in CERTIFICATES[proxy])
        assert "[::1]:8081" in text
        assert not {one for one in ("127.0.0.1", "grafana") if one in text.replace(EXAMPLE, "")}
    must_take(host, proxy, names)
    direct = files(host, "http", "--proxy", proxy, "--no-relay", "--write")
    assert list(direct) == [path for path in written if path != UNIT]
    assert "[fd00::7]:80" in direct[f"{folder}/wiki.example.com.{site}"]["text"]
    must_take(host, proxy, names)


def test_the_token_and_the_names_that_were_filled_in_stay(host: Host, proxy: str) -> None:
    host.write(CONFIG, FILLED_IN.format(user="root").replace("dashboards", "grafana"))
    files(host, "http", "--proxy", proxy, "--write")
    headers = host.files / f"etc/{proxy}/countersign/grafana.headers"
    filled_in = headers.read_text().replace("cs_0123456789ab_...", "cs_0123456789ab_secret")
    headers.write_text(filled_in)
    said = install(host, "http", "--proxy", proxy, "--json", "--write", "--force")
    assert "secret" not in said + install(host, "http", "--proxy", proxy)
    assert headers.read_text() == filled_in
    assert "Wiki.example.com" in (host.files / CONFIG.lstrip("/")).read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"[http]": "[pam]\ndevice = 'x'", "proxy_user": "#", "portal": "#", "applications": "#"},
            "no web application",
        ),
        ({"applications": "#"}, "no web application"),
        ({"http = 80 ": "ssh = 22 "}, "does not say where wiki is reached by http"),
        ({'"caddy"': '"nobody-here"'}, "the account 'nobody-here', which is not on this host"),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(host: Host, changes: dict[str, str], message: str) -> None:
    host.run("rm", "-rf", "/etc/caddy/countersign")
    text = FILLED_IN.format(user="caddy")
    for old, new in changes.items():
        text = text.replace(old, new)
    host.write(CONFIG, text)
    assert message in install(host, "http", "--proxy", "caddy", "--write", code=2)
