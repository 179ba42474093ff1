"""Which addresses may be dialled: public ones, and those that the operator allows. Checked on the address of the
socket itself.

A name is resolved, and an address is written, in many ways; all of them end in `socket_factory`, which is called
with the very address that is connected to. So no form of a name, and no answer that changes between check and use,
gets past it.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: The `errno` of a refusal: no operating system uses it, so that it can be told from the errors of real connections.
BLOCKED_ERRNO = -7_077

#: IANA's special-purpose registries: what is not globally reachable, multicast, and what only translates into IPv4.
_NOT_PUBLIC: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        # Of IPv6 only 2000::/3 is given to anybody; within it, what is special.
        "::/3",
        "4000::/2",
        "8000::/1",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Blocked(OSError):
    """The address may not be dialled; `address` is the one."""

    def __init__(self, address: str) -> None:
        super().__init__(BLOCKED_ERRNO, f"blocked: {address}")
        self.address = address


class Guard:
    """Judges addresses; `allowed` are networks that may be reached although they are not public."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = tuple(ipaddress.ip_network(text) for text in allowed)

    def permits(self, written: str) -> bool:
        """Whether a socket may connect to this numeric address (a zone such as `%eth0` is ignored)."""
        try:
            address: Address = ipaddress.ip_address(written.partition("%")[0])
        except ValueError:
            return False
        forms = _forms(address)
        if any(form in network for form in forms for network in self._allowed):
            return True
        return not any(form in network for form in forms for network in _NOT_PUBLIC)

    def socket_factory(self, info: tuple[Any, ...]) -> socket.socket:
        """Make the socket for an address that `getaddrinfo` gave. Raises `Blocked`."""
        family, kind, protocol, _, address = info
        if not self.permits(str(address[0])):
            raise Blocked(str(address[0]))
        made = socket.socket(family, kind, protocol)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made


def _forms(address: Address) -> tuple[Address, ...]:
    """The address, or the IPv4 one that it is only another way to write."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return (address.ipv4_mapped,)
        if address in _NAT64:
            return (ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF),)
    return (address,)
