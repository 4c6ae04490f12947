"""Writes country files in MaxMind's format (https://maxmind.github.io/MaxMind-DB/), as small as they can be."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BITS = 128
# IPv4 addresses are stored under ::/96.
IPV4_PREFIX = 96


def written(file: Path, countries: Mapping[str, Any]) -> Path:
    """Write a file with these networks, each with a record, or with its country's letters in MaxMind's form."""
    nodes: list[list[int]] = [[-1, -1]]
    data, places = b"", []
    for network, country in countries.items():
        record = {"country": {"iso_code": country}} if isinstance(country, str) else country
        places.append(len(data))
        data += _encoded(record)
        _insert(nodes, network, -2 - len(places) + 1)
    empty = len(nodes)
    tree = b"".join(
        (empty if one == -1 else one if one >= 0 else empty + 16 + places[-2 - one]).to_bytes(4, "big")
        for node in nodes
        for one in node
    )
    about = {
        "node_count": len(nodes),
        "record_size": 32,
        "ip_version": 6,
        "database_type": "Countries",
        "languages": [],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": int(time.time()),
        "description": {},
    }
    file.write_bytes(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + _encoded(about))
    return file


def _insert(nodes: list[list[int]], network: str, leaf: int) -> None:
    parsed = ipaddress.ip_network(network)
    added = IPV4_PREFIX if parsed.version == 4 else 0
    bits = f"{int(parsed.network_address):0{BITS}b}"[: parsed.prefixlen + added]
    node = 0
    for bit in bits[:-1]:
        if nodes[node][int(bit)] == -1:
            nodes.append([-1, -1])
            nodes[node][int(bit)] = len(nodes) - 1
        node = nodes[node][int(bit)]
    nodes[node][int(bits[-1])] = leaf


def _encoded(value: Any) -> bytes:
    """A value as it is written in the data section; only texts and lists that are shorter than 29."""
    if isinstance(value, str):
        return bytes([(2 << 5) | len(value)]) + value.encode()
    if isinstance(value, dict):
        return bytes([(7 << 5) | len(value)]) + b"".join(_encoded(k) + _encoded(v) for k, v in value.items())
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(_encoded, value))
    return bytes([8, 9 - 7]) + int(value).to_bytes(8, "big")
