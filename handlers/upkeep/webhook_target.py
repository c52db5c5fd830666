"""Where a webhook may go: public addresses, decided at the moment of connecting. Knows sockets and addresses; no vault.

The name is resolved here and the connection made to that very address, so that a name cannot resolve to something else
between the check and the use. Nothing on the way takes longer than the whole attempt may.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from db.errors import Invalid, Unavailable

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]
# A cloud's own service behind an address that is public elsewhere.
_METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})
# Addresses that stand for an IPv4 address behind a translator.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# 6to4 leads through whatever relay is near, and is given up (RFC 7526): nothing public is there.
_SIX_TO_FOUR = ipaddress.ip_network("2002::/16")


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def is_public(address: IpAddress) -> bool:
    """Whether the address leads to the internet and not into this machine, its network or its cloud."""
    inner = _embedded(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast and address not in _METADATA and address not in _SIX_TO_FOUR


def _is_loopback(address: IpAddress) -> bool:
    return address.is_loopback


def _embedded(address: IpAddress) -> IpAddress | None:
    """The IPv4 address that an IPv6 address stands for, or None."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


class TargetNetwork(httpcore.NetworkBackend):
    """Connects to public addresses only. loopback: to this machine only, instead. seconds: for the whole attempt."""

    def __init__(self, *, loopback: bool, seconds: float, find: Resolve = resolve) -> None:
        self._loopback = loopback
        self._find = find
        self._until = time.monotonic() + seconds
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first address of the host. Raises Invalid (webhook_refused), Unavailable."""
        address = self._checked(host, port)
        stream = self._network.connect_tcp(address, port, self.left(timeout), local_address, socket_options)
        return _BoundedStream(stream, self)

    def left(self, timeout: float | None) -> float:
        """Seconds this step may take. Raises Unavailable when the attempt has taken as long as it may."""
        rest = self._until - time.monotonic()
        if rest <= 0:
            raise Unavailable("the target took too long to answer", code="webhook_timeout")
        return rest if timeout is None else min(rest, timeout)

    def _checked(self, host: str, port: int) -> str:
        try:
            found = self._find(host, port)
        except (OSError, UnicodeError) as exc:
            raise Unavailable("the target's name has no address", code="webhook_unresolved") from exc
        addresses = [ipaddress.ip_address(address.partition("%")[0]) for address in found]
        allowed = _is_loopback if self._loopback else is_public
        # All of them: a name with one address inside is not to be trusted with the others.
        if not addresses or not all(allowed(address) for address in addresses):
            raise Invalid("the target leads into a network it must not reach", code="webhook_refused")
        return str(addresses[0])


class _BoundedStream(httpcore.NetworkStream):
    """A connection each of whose steps ends with the attempt."""

    def __init__(self, stream: httpcore.NetworkStream, network: TargetNetwork) -> None:
        self._stream = stream
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Bytes that have come."""
        return self._stream.read(max_bytes, self._network.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send the bytes."""
        self._stream.write(buffer, self._network.left(timeout))

    def close(self) -> None:
        """Let go of the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The same connection, encrypted, the certificate checked against the name."""
        stream = self._stream.start_tls(ssl_context, server_hostname, self._network.left(timeout))
        return _BoundedStream(stream, self._network)

    def get_extra_info(self, info: str) -> Any:
        """What is known of the connection."""
        return self._stream.get_extra_info(info)
