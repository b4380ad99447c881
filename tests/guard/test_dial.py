"""What may be reached: real listeners that must see no connection, and the address that is really dialled."""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from newsletter.errors import AddressForbidden, RequestFailed
from newsletter.guard.dial import resolve
from newsletter.guard.http import HttpClient
from tests.guard.listener import Listener, reply
from tests.support.certificates import make_certificate

_recorder: list[list[Any]] = []


def _watch_connects(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _recorder:
        _recorder[0].append(arguments[1][:2])
        raise ConnectionRefusedError("refused by the test before a packet left")


@pytest.fixture(scope="module")
def hook() -> None:
    # An audit hook sees the very address that goes to the kernel. It cannot be removed, only be put to sleep.
    sys.addaudithook(_watch_connects)


@pytest.fixture
def dialled(hook: None) -> Iterator[list[Any]]:
    """Every address that a socket is told to connect to; none of them is reached."""
    _recorder.append([])
    try:
        yield _recorder[0]
    finally:
        _recorder.clear()


def answering(*answers: Sequence[str]) -> tuple[list[str], Any]:
    """A resolver that gives ``answers`` one after the other, then the last one for ever."""
    asked: list[str] = []

    def resolver(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return asked, resolver


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1"])
def test_a_listener_on_a_private_address_sees_no_connection(host: str) -> None:
    with Listener(reply(b"secret"), host=host) as server, HttpClient() as client:
        for ask in (client.get, client.head):
            with pytest.raises(AddressForbidden, match="private or reserved"):
                ask(server.url)
        with pytest.raises(AddressForbidden):
            client.post(server.url, data={})
        assert server.connections == 0


@pytest.mark.parametrize(
    "disguise",
    [
        "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7F.1", "0177.0.0.1", "017700000001", "127.0.0.1.",
        "localhost", "LOCALHOST", "localhost.", "0", "0.0.0.0", "[::]", "[::1]", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[::127.0.0.1]", "①②⑦.⓪.⓪.①", "127。0。0。1",
        "%31%32%37.0.0.1",
    ],
)  # fmt: skip
def test_no_disguise_of_loopback_reaches_a_listener(disguise: str) -> None:
    with Listener(reply(b"secret")) as server, HttpClient() as client:
        with pytest.raises((AddressForbidden, RequestFailed)):
            client.get(f"http://{disguise}:{server.port}/", deadline_s=10)
        assert server.connections == 0


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "fd00::1", "fe80::1%lo",
     "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "224.0.0.1", "no address"],
)  # fmt: skip
def test_a_public_name_that_leads_to_a_private_address_is_refused(address: str, dialled: list[Any]) -> None:
    _, resolver = answering([address])
    with HttpClient(resolver=resolver) as client:
        with pytest.raises(AddressForbidden, match=r"blog\.example leads to"):
            client.get("http://blog.example/")
    assert dialled == []


def test_of_several_addresses_only_public_ones_are_dialled(dialled: list[Any]) -> None:
    _, resolver = answering(["127.0.0.1", "93.184.216.34", "::1", "2606:4700::1111"])
    with HttpClient(resolver=resolver) as client:
        with pytest.raises(RequestFailed):
            client.get("http://blog.example/")
    assert dialled == [("93.184.216.34", 80), ("2606:4700::1111", 80)]


def test_a_name_that_changes_its_address_after_the_check_is_dialled_at_the_address_that_was_checked(
    dialled: list[Any],
) -> None:
    asked, resolver = answering(["93.184.216.34"], ["127.0.0.1"])
    with HttpClient(resolver=resolver) as client:
        with pytest.raises(RequestFailed):
            client.get("https://blog.example/")
        assert dialled == [("93.184.216.34", 443)]
        assert asked == ["blog.example"], "one look-up serves the check and the connection"
        with pytest.raises(AddressForbidden):
            client.get("https://blog.example/")
    assert dialled == [("93.184.216.34", 443)]


def test_a_port_other_than_80_and_443_is_refused(dialled: list[Any]) -> None:
    _, resolver = answering(["93.184.216.34"])
    with HttpClient(resolver=resolver) as client:
        for port in (22, 25, 6379, 8080):
            with pytest.raises(AddressForbidden, match="port other than 80 and 443"):
                client.get(f"http://blog.example:{port}/")
        assert dialled == []
        with pytest.raises(RequestFailed):
            client.get("http://blog.example:443/")
    assert dialled == [("93.184.216.34", 443)]


def test_a_redirect_to_a_private_address_is_refused_before_any_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def resolver(host: str, port: int) -> Sequence[str]:
        made_up = {"inside.example": ["127.0.0.1"], "outside.example": ["93.184.216.34"]}
        return made_up.get(host) or resolve(host, port)

    with Listener(reply(b"secret")) as inside:
        for target in (inside.url, "http://inside.example/", "http://0x7f.1/", "//[::1]/"):
            jump = reply(status="302 Found", headers={"Location": target})
            with Listener(jump) as outside, HttpClient(resolver=resolver) as client:
                connect = socket.create_connection

                # The first hop must be answered by somebody who is not there: a public address.
                def wire(
                    address: tuple[str, int],
                    timeout: float,
                    connect: Any = connect,
                    port: int = outside.port,
                ) -> socket.socket:
                    assert address == ("93.184.216.34", 80)
                    found: socket.socket = connect(("127.0.0.1", port), timeout)
                    return found

                with monkeypatch.context() as patch:
                    patch.setattr(socket, "create_connection", wire)
                    with pytest.raises(AddressForbidden, match="private or reserved"):
                        client.get("http://outside.example/")
                assert outside.connections == 1
        assert inside.connections == 0


def test_a_private_address_is_reached_where_the_setting_allows_it() -> None:
    with Listener(reply(b"intranet"), host="::1") as server, HttpClient(allow_private=True) as client:
        assert client.get(server.url).body == b"intranet"


def trusting(monkeypatch: pytest.MonkeyPatch, authority: Path, addresses: Sequence[str]) -> HttpClient:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    _, resolver = answering(addresses)
    return HttpClient(allow_private=True, resolver=resolver)


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with (
        Listener(reply(b"x"), tls=certificate.server_context()) as server,
        HttpClient(allow_private=True) as client,
    ):
        with pytest.raises(RequestFailed, match="its certificate cannot be trusted"):
            client.get(server.url)
        assert server.requests == []


def test_a_trusted_certificate_is_checked_against_the_name_and_not_the_dialled_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path, names=("blog.example",))
    with (
        Listener(reply(b"secure"), tls=certificate.server_context()) as server,
        trusting(monkeypatch, certificate.authority, ["127.0.0.1"]) as client,
    ):
        assert client.get(f"https://blog.example:{server.port}/").body == b"secure"
        with pytest.raises(RequestFailed, match="certificate cannot be trusted"):
            client.get(f"https://other.example:{server.port}/")
        assert len(server.requests) == 1


def test_an_old_version_of_tls_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path, names=("blog.example",))
    old = certificate.server_context()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.deprecated_call():
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        Listener(reply(b"x"), tls=old) as server,
        trusting(monkeypatch, certificate.authority, ["127.0.0.1"]) as client,
    ):
        with pytest.raises(RequestFailed, match="no secure connection could be agreed"):
            client.get(f"https://blog.example:{server.port}/")


def test_a_body_without_a_length_that_is_cut_under_tls_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path, names=("blog.example",))
    cut = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<rss>half"
    with (
        # The listener closes without TLS's goodbye, as a cut connection does.
        Listener(cut, tls=certificate.server_context()) as server,
        trusting(monkeypatch, certificate.authority, ["127.0.0.1"]) as client,
    ):
        with pytest.raises(RequestFailed):
            client.get(f"https://blog.example:{server.port}/")


def test_a_server_that_never_finishes_the_tls_handshake_ends_with_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, HttpClient(allow_private=True) as client:
        with pytest.raises(RequestFailed, match=r"within 0\.3 s"):
            client.get(f"https://127.0.0.1:{silent.getsockname()[1]}/", deadline_s=0.3)
