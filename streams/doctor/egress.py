"""Which postbacks call an address that the senders refuse. Only what is written in the configuration is judged: no name
is looked up, nothing is dialled.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Iterator

from schemas.config import Postback
from streams.delivery.egress import Address, Guard

from .findings import Finding, ok, warning

_HOST = re.compile(r"https?://(?:\[(?P<bracketed>[^\]/?#]*)\]|(?P<plain>[^/?#:]*))", re.IGNORECASE)
_LOOPBACK = ("127.0.0.1", "::1")
_IPV4_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


def written(url: str) -> tuple[str, ...]:
    """The addresses that stand for the host of `url`: itself if it is one, however it is written; both loopback
    addresses for `localhost`; none for any other name.
    """
    match = _HOST.match(url)
    if match is None:
        return ()
    host = match["bracketed"] or match["plain"] or ""
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return _LOOPBACK
    try:
        if match["bracketed"]:
            return (str(ipaddress.ip_address(host.partition("%")[0])),)
        # `127.1`, `2130706433` and `0x7f000001` are ways to write an address.
        return (socket.inet_ntoa(socket.inet_aton(host)),)
    except (OSError, ValueError):
        return ()


def findings(postbacks: Iterable[Postback], allowed: tuple[str, ...]) -> Iterator[Finding]:
    """The addresses that active postbacks call and senders with these networks `allowed` refuse, each with those who
    call it.
    """
    guard = Guard(allowed)
    refused: dict[str, list[str]] = {}
    numbers = 0
    for postback in postbacks:
        addresses = written(postback.endpoint.url) if postback.status == "active" else ()
        numbers += bool(addresses)
        if addresses and not any(map(guard.permits, addresses)):
            refused.setdefault(addresses[0], []).append(postback.id)
    networks = dict.fromkeys([*allowed, *map(_network, refused)])
    for address, names in refused.items():
        one = len(names) == 1
        yield warning(
            f"postback{'' if one else 's'} {', '.join(names)} call{'s' if one else ''} {address}, which is not public "
            f"and not in RINGBACK_EGRESS_ALLOW here; {'its' if one else 'their'} jobs end as suppressed",
            f"on the senders' machines: export RINGBACK_EGRESS_ALLOW={','.join(networks)} (or call a public address)",
        )
    if not refused:
        them = "postback calls" if numbers == 1 else "postbacks call"
        yield ok(f"{numbers or 'no'} {them} an address without a name{', none is refused' if numbers else ''}")


def _network(address: str) -> str:
    """What to allow, so that the guard permits `address`: all of loopback, otherwise just the address."""
    parsed = ipaddress.ip_address(address)
    # An IPv6 address may be only another way to write an IPv4 one, which the guard looks at instead.
    forms: tuple[Address, ...] = (ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF), parsed)
    judged = next(form for form in forms if Guard([str(form)]).permits(address))
    return str(_IPV4_LOOPBACK if judged in _IPV4_LOOPBACK else ipaddress.ip_network(judged))
