from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.guard.addresses import is_private_host, is_public, safe_link

PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1",
    "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1",
    "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%1", "2606:4700::1%1", "fec0::1", "ff02::1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1", "192.0.1.1",
    "192.167.255.255", "198.17.255.255", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::1",
    "::ffff:8.8.8.8", "64:ff9b::808:808",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_or_reserved_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(address)


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_what_the_standard_library_calls_private_is_not_public(address: IPv4Address) -> None:
    if not address.is_global or address.is_multicast:
        assert not is_public(address)


@settings(deadline=None)
@given(st.ip_addresses(v=6))
def test_an_ipv6_address_outside_the_assigned_block_is_public_only_by_an_ipv4_address_inside(
    address: IPv6Address,
) -> None:
    hidden = address.ipv4_mapped or (
        IPv4Address(int(address) & 0xFFFFFFFF) if address.packed[:12].hex() == "0064ff9b" + "0" * 16 else None
    )
    if address.packed[0] >> 5 != 0b001 and hidden is None:
        assert not is_public(address)


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_wrapping_an_ipv4_address_changes_nothing(address: IPv4Address) -> None:
    mapped = IPv6Address((0xFFFF << 32) | int(address))
    nat64 = IPv6Address((0x64FF9B << 96) | int(address))
    assert is_public(mapped) == is_public(nat64) == is_public(address)


@settings(deadline=None)
@given(st.text())
def test_text_that_is_no_address_is_not_public(text: str) -> None:
    try:
        IPv4Address(text)
    except ValueError:
        if ":" not in text:
            assert not is_public(text)


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST", "localhost.", "a.localhost", "printer.local", "db.internal", "router.lan",
        "nas", "wiki.corp", "box.home.arpa", "10.1.2.3", "127.1", "127.0.0.1.", "2130706433", "0x7f000001",
        "0x7f.1", "0177.0.0.1", "017700000001", "[::1]", "[::ffff:10.0.0.1]", "[fe80::1]", "192.168.1.1:8080",
        "999.1.1.1",
    ],
)  # fmt: skip
def test_a_url_to_a_private_host_is_recognised_in_every_disguise(host: str) -> None:
    assert is_private_host(f"http://{host}/path")
    assert not safe_link(f"http://{host}/path")


@pytest.mark.parametrize(
    "url",
    ["https://example.com/", "http://example.com:8080/a?b#c", "https://8.8.8.8/", "https://[2606:4700::1]/x",
     "https://localhost.example.com/", "https://1.example.com", "mailto:author@example.com", "tel:+4930123"],
)  # fmt: skip
def test_an_ordinary_link_is_safe(url: str) -> None:
    assert safe_link(url)


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "ftp://example.com/", "/relative", "",
     "https://", "https://user@example.com/", "https://user:secret@example.com/", "https://exa mple.com/",
     "https://example.com\\@evil.test/", "https://example.com/\nx", "http://[::1", "https://example.com:port/",
     "mailto:", "//example.com/"],
)  # fmt: skip
def test_a_link_that_is_no_plain_public_link_is_not_safe(url: str) -> None:
    assert not safe_link(url)
