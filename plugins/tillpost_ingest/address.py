"""Where a server listens: `host:port`, with an IPv6 address in brackets."""

from __future__ import annotations

import ipaddress


def parse(listen: str) -> tuple[str, int]:
    """Host and port. Raises ValueError for anything else."""
    host, colon, port = listen.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = str(ipaddress.IPv6Address(host[1:-1]))
    elif ":" in host:
        raise ValueError('listen must be host:port, an IPv6 address in brackets, such as "[::1]:8088"')
    if not colon or not host or any(char <= " " or char in "/@" for char in host):
        raise ValueError('listen must be host:port, such as "127.0.0.1:8088"')
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("listen must end with a port from 1 to 65535")
    return host, int(port)


def local(listen: str) -> bool:
    """Whether only programs of this machine can reach it. Names are not looked up; only `localhost` is known."""
    return is_local(parse(listen)[0])


def is_local(host: str) -> bool:
    """Whether a host, as written, is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
