"""Where the page listens: `host:port`, with an IPv6 address in brackets."""

from __future__ import annotations

import ipaddress

from tillpost.errors import UsageError


def parse(listen: str) -> tuple[str, int]:
    """Host and port. Raises UsageError for what is neither."""
    host, colon, port = listen.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise UsageError(f"--status {listen}: put an IPv6 address in brackets, such as [::1]:8090")
    if not colon or not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise UsageError(f"--status {listen}: name host and port, such as 127.0.0.1:8090")
    return host, int(port)


def is_local(host: str) -> bool:
    """Whether a host is this machine by what it is written as. A name is not looked up: only `localhost` is known."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def names_this_machine(header: str) -> bool:
    """Whether a Host header names this machine.

    A page of another site whose name suddenly leads to 127.0.0.1 (DNS rebinding) sends that site's name.
    """
    host = header.rpartition(":")[0] if header.rpartition(":")[2].isdigit() and not header.endswith("]") else header
    return is_local(host.strip("[]"))
