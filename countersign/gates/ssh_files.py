"""The files of an SSH bastion: what sshd allows the people who come through it, and what they put into their own."""

import re
import sys
from collections.abc import Sequence

from countersign.errors import BadQuestion
from countersign.gates.install import File, file
from countersign.gates.service_files import program

# What a Unix group may be called (useradd(8)); anything else could add lines to sshd's configuration.
GROUP = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
SSHD = """\
# People of the group {group} reach devices through this host, and nothing else on it.
PermitUserEnvironment no
# This many may be logging in at once; sshd's default of 10 turns people away when many come. One source (a /64 of IPv6)
# can't take all of it.
MaxStartups 300:30:600
PerSourceMaxStartups 200
PerSourceNetBlockSize 32:64

Match Group {group}
    ForceCommand {command} ssh
    AuthenticationMethods publickey
    AuthorizedKeysFile /etc/countersign/keys/%u
    AuthorizedKeysCommand none
    AuthorizedPrincipalsCommand none
    DisableForwarding yes
    # Before OpenSSH 10, DisableForwarding left these two alone (CVE-2025-32728).
    X11Forwarding no
    AllowAgentForwarding no
    PermitTunnel no
    PermitTTY no
    PermitUserRC no
    AcceptEnv COUNTERSIGN_WAIT
    # Somebody whose machine is gone without a word is noticed within a minute.
    ClientAliveInterval 15
    ClientAliveCountMax 3
"""
PEOPLE = """\
# For ~/.ssh/config of the people who come through this host.
Host bastion
    HostName bastion.example.com
    # Your id in the policy, if your own account has another name:
    # User alice
    # With COUNTERSIGN_WAIT=no set, programs are answered at once.
    SendEnv COUNTERSIGN_WAIT

Host {devices}
    ProxyCommand ssh -T bastion %h %p
    ServerAliveInterval 15
"""
# `Match exec` looks at nothing but the exit code; ssh asks for the certificate before it connects.
CERTIFICATES = """\
    CertificateFile ~/.ssh/%n-cert.pub
Match originalhost {names} exec "ssh -T bastion certificate %n %p < ~/.ssh/id_ed25519.pub > ~/.ssh/%n-cert.pub"
"""


def ssh_files(group: str, devices: Sequence[str] = (), certificates: bool = False) -> list[File]:
    """The files for people of a Unix group and these devices; `certificates`: whether the gate signs them.

    Raises BadQuestion if `group` can't be the name of a group.
    """
    if not GROUP.fullmatch(group):
        raise BadQuestion(f"{group[:40]!r} is not the name of a Unix group; name one such as countersign.")
    # -I: Python ignores whatever the person's account holds for it.
    command = f"{sys.executable} -I {program('countersign-gate')}"
    people = PEOPLE + CERTIFICATES if certificates else PEOPLE
    named = devices or ["db-1"]
    return [
        file("/etc/ssh/sshd_config.d/10-countersign.conf", SSHD.format(group=group, command=command)),
        file("/etc/countersign/ssh_config", people.format(devices=" ".join(named), names=",".join(named))),
    ]
