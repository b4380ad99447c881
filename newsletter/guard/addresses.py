"""Which addresses an outgoing request may reach, and which links may be shown to a subscriber.

Sources: the IANA IPv4 and IPv6 special-purpose address registries; RFC 4291 (mapped addresses), RFC 6052
(NAT64), RFC 3056 (6to4), RFC 4380 (Teredo), RFC 6761 and RFC 6762 (special-use names). Pure: nothing here
resolves a name or opens a connection.
"""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address

_CLOSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # "this host": connects to loopback on most systems
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata service
        "127.0.0.0/8",
        "168.63.129.16/32",  # the host's own agent inside Azure, in an otherwise public range
        "169.254.0.0/16",  # link-local; the metadata service of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata service
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_OPEN_V6 = IPv6Network("2000::/3")  # the only block from which IANA assigns global unicast addresses
_CLOSED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, among them Teredo, whose addresses hide an IPv4 address
        "2001:db8::/32",
        "2002::/16",  # 6to4: hides an IPv4 address and is no longer routed (RFC 7526)
        "3fff::/20",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")

_PRIVATE_SUFFIXES = (
    "localhost", "localdomain", "local", "internal", "intranet", "lan", "home", "home.arpa", "corp",
    "private", "test",
)  # fmt: skip
_SCHEMES_FOR_PEOPLE = frozenset({"http", "https", "mailto", "tel"})
_UNSAFE_IN_URL = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_NUMERIC_HOST = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}\.?")


def is_public(address: str | Address) -> bool:
    """Whether a connection to this IP address leaves for the public Internet.

    IPv4 addresses hidden in mapped (``::ffff:0:0/96``) and NAT64 (``64:ff9b::/96``) addresses are unwrapped:
    networks without IPv4 reach honest hosts that way. Everything else that can hide one is refused. Text that
    is no IP address is not public.
    """
    try:
        ip = ip_address(address) if isinstance(address, str) else address
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        if ip.scope_id is not None:
            return False
        if ip.ipv4_mapped is not None:
            return is_public(ip.ipv4_mapped)
        if ip in _NAT64:
            return is_public(IPv4Address(int(ip) & 0xFFFFFFFF))
        return ip in _OPEN_V6 and not any(ip in network for network in _CLOSED_V6)
    return not any(ip in network for network in _CLOSED_V4)


def is_private_host(url: str) -> bool:
    """Whether a URL names, by its text alone, a host that strangers cannot reach.

    True for private IP addresses in any notation a browser accepts (``127.1``, ``2130706433``,
    ``0x7f000001``, ``[::ffff:10.0.0.1]``), for names without a dot and for suffixes that never are public.
    Never resolves a name: a public name that leads to a private address is the HTTP client's business.
    """
    try:
        host = urlsplit(url.strip()).hostname
    except ValueError:
        return False
    if not host:
        return False
    literal = _literal(host)
    if literal is not None:
        return not is_public(literal)
    name = host.rstrip(".")
    return "." not in name or any(name.endswith("." + suffix) for suffix in _PRIVATE_SUFFIXES)


def safe_link(url: str) -> bool:
    """Whether a link may stand in mail: http(s) to a public host without credentials, mailto or tel.

    Relative URLs are not safe: in mail they lead nowhere.
    """
    url = url.strip()
    if _UNSAFE_IN_URL.search(url):
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises on a port that is no number
    except ValueError:
        return False
    if parts.scheme not in _SCHEMES_FOR_PEOPLE:
        return False
    if parts.scheme in ("mailto", "tel"):
        return bool(parts.path)
    return bool(host) and "@" not in parts.netloc and not is_private_host(url)


def _literal(host: str) -> Address | None:
    """The address that a host part spells, in every notation that ``getaddrinfo`` and browsers accept."""
    if ":" in host:
        try:
            return IPv6Address(host)
        except ValueError:
            return None
    if not _NUMERIC_HOST.fullmatch(host.lower()):
        return None
    try:
        return IPv4Address(socket.inet_aton(host.rstrip(".")))
    except OSError:
        # All digits and yet no address: no public name ends in a number either (RFC 1123).
        return IPv4Address(0)
