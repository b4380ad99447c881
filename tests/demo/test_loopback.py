"""The loopback servers."""

from __future__ import annotations

import socket

from newsletter.demo.loopback import HOST, SmtpThread, listen


def test_a_taken_port_gives_way_to_a_free_one() -> None:
    with listen() as first, listen(first.getsockname()[1]) as second:
        assert second.getsockname()[0] == HOST
        assert second.getsockname()[1] != first.getsockname()[1]


def test_a_free_port_is_taken_as_wanted() -> None:
    with listen() as probe:
        port = probe.getsockname()[1]
    with listen(port) as listener:
        assert listener.getsockname() == (HOST, port)


def test_a_closed_smtp_server_drops_whoever_was_connected() -> None:
    server = SmtpThread(object())
    with socket.create_connection((HOST, server.port), timeout=10) as client:
        assert client.recv(100).startswith(b"220 ")
        server.close()
        try:
            rest = client.recv(100)
        except ConnectionResetError:
            rest = b""
        assert rest == b""
