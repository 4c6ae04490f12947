"""The gate for WireGuard as a program of its own inside a network."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

from tests.countersign.gates.networks import SECONDS, Network, wait_until
from tests.countersign.installation import COMMAND


class Agent:
    """`countersign gate wireguard` for the interface wg0; ends with the block."""

    def __init__(
        self,
        network: Network,
        url: str,
        token: str,
        folder: Path,
        grace: str = "2s",
        programs: str = "",
        output: int | None = None,
    ) -> None:
        """Programs in the folder `programs` come before the system's.

        Its output goes to the file descriptor `output`, or else to a file.
        """
        self._network = network
        token_file, self._said = folder / "token", folder / "said"
        token_file.touch(0o600)
        token_file.write_text(f"{token}\n")
        options = ["--interface", "wg0", "--url", url, "--token-file", str(token_file), "--grace", grace, "--json"]
        command = network.inside(COMMAND, "gate", "wireguard", *options)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
        if programs:
            environment["PATH"] = f"{programs}:{environment['PATH']}"
        with self._said.open("a") as said:
            taken_by = output or said
            self._process = subprocess.Popen(command, env=environment, stdout=taken_by, stderr=taken_by)

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.stop()

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(SECONDS)

    def stop(self) -> int:
        self._process.terminate()
        return self.wait()

    def wait(self) -> int:
        return self._process.wait(SECONDS)

    @property
    def said(self) -> list[str]:
        return [json.loads(line)["words"] for line in self._said.read_text().splitlines()]

    def until_said(self, message: str) -> None:
        wait_until(lambda: [one for one in self.said if message in one])

    def has_peers(self, expected: dict[str, str]) -> None:
        """Wait until the interface has exactly these peers."""
        wait_until(lambda: peers(self._network) == expected)


def peers(network: Network) -> dict[str, str]:
    """The key of each peer of the interface, by its address."""
    lines = network.run("wg", "show", "wg0", "allowed-ips").splitlines()
    return {address: key for key, _, address in (line.partition("\t") for line in lines)}
