"""What a device says about itself, and what has changed since the last time."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from countersign.models import Detail, Model, without_controls

LONGEST_VALUE = 128


def _one_line(value: str) -> str | None:
    return " ".join(without_controls(value).split()) or None


# None means not known; text that shows nothing becomes None.
Known = Annotated[str, Field(max_length=LONGEST_VALUE, min_length=1), AfterValidator(_one_line)] | None
LABELS = {
    "hostname": "Name",
    "platform": "Platform",
    "os": "System",
    "os_version": "System version",
    "kernel": "Kernel",
    "architecture": "Architecture",
    "model": "Model",
    "serial": "Serial number",
    "user": "Local user",
    "client_version": "Client",
    "disk_encrypted": "Disk encrypted",
    "firewall": "Firewall",
    "biometrics": "Biometrics",
    "auto_update": "Automatic updates",
    "tpm": "TPM",
    "antivirus": "Antivirus",
}


class Posture(Model):
    """Which protections a device has. None means not known, which is never the same as no."""

    disk_encrypted: bool | None = None
    firewall: bool | None = None
    biometrics: bool | None = None
    auto_update: bool | None = None
    tpm: bool | None = None
    antivirus: bool | None = None


class Fingerprint(Model):
    """What a device reports about itself; None means not known."""

    hostname: Known = None
    platform: Known = None
    os: Known = None
    os_version: Known = None
    kernel: Known = None
    architecture: Known = None
    model: Known = None
    serial: Known = None
    user: Known = None
    client_version: Known = None
    posture: Posture = Posture()

    @property
    def values(self) -> dict[str, str | bool | None]:
        """Every value by its name, those of the posture last."""
        flat: dict[str, Any] = self.model_dump()
        return {**{name: value for name, value in flat.items() if name != "posture"}, **flat["posture"]}


def changed(before: Fingerprint, after: Fingerprint) -> list[str]:
    """The names of the values that differ."""
    return [name for name, value in after.values.items() if value != before.values[name]]


def details(fingerprint: Fingerprint, before: Fingerprint | None = None) -> list[Detail]:
    """The fingerprint as people read it, with what has changed since an earlier one."""
    earlier = before.values if before else fingerprint.values
    return [
        Detail(
            label=LABELS[name], value=_shown(value), before=None if value == earlier[name] else _shown(earlier[name])
        )
        for name, value in fingerprint.values.items()
    ]


def _shown(value: str | bool | None) -> str:
    return "not known" if value is None else value if isinstance(value, str) else "yes" if value else "no"
