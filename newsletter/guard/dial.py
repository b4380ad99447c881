"""How a connection is made: resolve, vet every address, dial a vetted one.

The name is resolved once per connection and the very address that was vetted is dialled, so a name that
changes its answer in between (DNS rebinding) gains nothing. TLS is verified against the name.

httpcore hands each operation a "time-out". Here that number is not a duration but the ``time.monotonic()``
instant at which the whole request must be over, so that a server sending one byte a second cannot stretch it.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Any, Protocol

import httpcore

from newsletter.guard.addresses import is_public

_PORTS = frozenset({80, 443})
_MOST_ADDRESSES = 4
_MOST_LOOKUPS = 32


class Resolver(Protocol):
    """Turns a host name into IP addresses, best first. Raises OSError when there are none."""

    def __call__(self, host: str, port: int, /) -> Sequence[str]: ...


class Forbidden(Exception):
    """The host leads to the private or reserved ``address``; None: the port is neither 80 nor 443."""

    def __init__(self, address: str | None) -> None:
        super().__init__(address)
        self.address = address


def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the operating system, which also reads every disguise of a literal address (``0x7f.1``)."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore.NetworkBackend):
    """Dials only vetted addresses. ``allow_private`` lets any address through (tests, intranets)."""

    def __init__(self, *, allow_private: bool, resolver: Resolver) -> None:
        self._allow_private = allow_private
        self._resolver = resolver
        self._lookups = threading.BoundedSemaphore(_MOST_LOOKUPS)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect before the instant ``timeout``; raises :class:`Forbidden` or ``httpcore.ConnectError``."""
        until = _instant(timeout)
        addresses = self._vetted(host, port, until)
        for tries_left in range(len(addresses), 0, -1):
            address = addresses[-tries_left]
            try:
                # A dead address must leave time for the next one.
                sock = socket.create_connection((address, port), _left(until) / tries_left)
            except TimeoutError as error:
                if tries_left == 1:
                    raise httpcore.ConnectTimeout("it did not answer in time") from error
            except OSError as error:
                if tries_left == 1:
                    reason = (error.strerror or "no connection").lower()
                    raise httpcore.ConnectError(f"it could not be reached ({reason})") from error
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _Stream(sock)
        raise httpcore.ConnectError("its name leads to no address")

    def _vetted(self, host: str, port: int, until: float) -> Sequence[str]:
        found = [host] if _is_address(host) else self._look_up(host, port, until)
        if not self._allow_private:
            public = [address for address in found if is_public(address)]
            if found and not public:
                raise Forbidden(found[0])
            if port not in _PORTS:
                raise Forbidden(None)
            found = public
        return found[:_MOST_ADDRESSES]

    def _look_up(self, host: str, port: int, until: float) -> Sequence[str]:
        # The operating system's look-up knows no deadline, so it gets a thread that may be left behind.
        if not self._lookups.acquire(timeout=_left(until)):
            raise httpcore.ConnectTimeout("its name could not be looked up in time")
        answer: list[Sequence[str]] = []
        problem: list[OSError | UnicodeError] = []

        def ask() -> None:
            try:
                answer.append(self._resolver(host, port))
            except (OSError, UnicodeError) as error:
                problem.append(error)
            finally:
                self._lookups.release()

        thread = threading.Thread(target=ask, name="look-up", daemon=True)
        thread.start()
        thread.join(_left(until))
        if answer:
            return answer[0]
        if problem:
            raise httpcore.ConnectError("its name could not be found") from problem[0]
        raise httpcore.ConnectTimeout("its name could not be looked up in time")


class _Stream(httpcore.NetworkStream):
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            self._sock.settimeout(_left(_instant(timeout)))
            return self._sock.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout("it did not answer in time") from error
        except OSError as error:
            raise httpcore.ReadError("the connection broke") from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        until = _instant(timeout)
        rest = memoryview(buffer)
        try:
            while rest:
                self._sock.settimeout(_left(until))
                rest = rest[self._sock.send(rest) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout("it did not take the request in time") from error
        except OSError as error:
            raise httpcore.WriteError("the connection broke") from error

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            self._sock.settimeout(_left(_instant(timeout)))
            # A body without a length ends with the connection. Only TLS's own goodbye tells such an end from
            # a cut, so a missing goodbye is an error and not an end.
            wrapped = ssl_context.wrap_socket(
                self._sock, server_hostname=server_hostname, suppress_ragged_eofs=False
            )
        except TimeoutError as error:
            self.close()
            raise httpcore.ConnectTimeout("it did not answer in time") from error
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise httpcore.ConnectError(
                f"its certificate cannot be trusted ({error.verify_message.rstrip('.')})"
            ) from error
        except (OSError, ValueError) as error:
            self.close()
            raise httpcore.ConnectError("no secure connection could be agreed with it") from error
        return _Stream(wrapped)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # how httpcore learns that an idle connection was closed by the other side
            return self._is_readable()
        return None

    def _is_readable(self) -> bool:
        if self._sock.fileno() < 0:
            return True
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self._sock.fileno(), select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([self._sock], [], [], 0)[0])


def _instant(timeout: float | None) -> float:
    if timeout is None:
        raise ValueError("every operation needs the instant at which it must be over")
    return timeout


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
