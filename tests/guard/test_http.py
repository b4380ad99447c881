from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator

import pytest

import newsletter
from newsletter.errors import RequestFailed, TooLarge
from newsletter.guard.http import Hop, HttpClient, product_name
from tests.guard.listener import Listener, reply


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with HttpClient(allow_private=True) as client:
        yield client


def head_of(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def test_a_get_returns_status_headers_and_body(client: HttpClient) -> None:
    answer = reply(b"<rss/>", headers={"ETag": 'W/"a, b"', "Link": "<a>; rel=hub", "link": "<b>; rel=self"})
    with Listener(answer) as server:
        response = client.get(server.url + "feed?x=1#top", headers={"If-None-Match": 'W/"é"'})
    assert (response.status, response.body, response.hops) == (200, b"<rss/>", ())
    assert response.url == server.url + "feed?x=1"
    assert response.headers["etag"] == 'W/"a, b"'
    assert response.headers["link"] == "<a>; rel=hub, <b>; rel=self"
    assert response.elapsed_ms >= 0
    sent = head_of(server.requests[0])
    assert server.requests[0].startswith(b"GET /feed?x=1 HTTP/1.1\r\n")
    assert sent["host"] == f"127.0.0.1:{server.port}"
    assert sent["if-none-match"] == 'W/"é"'
    assert sent["accept-encoding"] == "gzip, deflate, br, zstd"
    assert sent["user-agent"] == f"newsletter-pipeline/{newsletter.__version__}"


def test_the_user_agent_names_the_product_its_version_and_the_newsletter() -> None:
    expected = f"newsletter-pipeline/{newsletter.__version__} (+https://news.example.org)"
    assert product_name("https://news.example.org") == expected
    with (
        Listener(reply()) as server,
        HttpClient(allow_private=True, user_agent=expected) as client,
    ):
        client.get(server.url)
    assert head_of(server.requests[0])["user-agent"] == expected


def test_a_304_is_an_answer_without_a_body(client: HttpClient) -> None:
    with Listener(
        reply(status="304 Not Modified", headers={"Content-Encoding": "gzip"}, length=False)
    ) as server:
        response = client.get(server.url)
    assert (response.status, response.body) == (304, b"")


@pytest.mark.parametrize("status", [204, 404, 410, 429, 503])
def test_any_status_is_an_answer(client: HttpClient, status: int) -> None:
    with Listener(reply(status=f"{status} Said", headers={"Retry-After": "7"})) as server:
        response = client.get(server.url)
    assert (response.status, response.headers["retry-after"]) == (status, "7")


def test_a_packed_body_arrives_unpacked(client: HttpClient) -> None:
    with Listener(reply(gzip.compress(b"<rss/>" * 100), headers={"Content-Encoding": "gzip"})) as server:
        assert client.get(server.url).body == b"<rss/>" * 100


def test_a_head_request_reads_no_body(client: HttpClient) -> None:
    with Listener([b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"][0]) as server:
        response = client.head(server.url)
    assert (response.status, response.body) == (200, b"")
    assert server.requests[0].startswith(b"HEAD ")


def test_a_post_sends_a_form_and_follows_no_redirect(client: HttpClient) -> None:
    with Listener(reply(status="303 See Other", headers={"Location": "/elsewhere"})) as server:
        response = client.post(server.url, data={"hub.mode": "subscribe", "hub.topic": "https://a/ü&b"})
    assert (response.status, response.headers["location"], response.hops) == (303, "/elsewhere", ())
    assert len(server.requests) == 1
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert b"application/x-www-form-urlencoded" in head
    assert body == b"hub.mode=subscribe&hub.topic=https%3A%2F%2Fa%2F%C3%BC%26b"


def test_redirects_are_walked_and_told_in_order(client: HttpClient) -> None:
    def answer(request: bytes) -> list[bytes]:
        path = request.split(b" ")[1]
        steps = {
            b"/a": ("301 Moved", "/b"),
            b"/b": ("302 Found", "c?d=é"),
            b"/c?d=%C3%A9": ("308 Moved", "//127.0.0.1:{}/end"),
        }
        if path not in steps:
            return [reply(b"there")]
        status, location = steps[path]
        raw = (
            f"HTTP/1.1 {status}\r\nLocation: {location.format(server.port)}\r\nContent-Length: 4\r\n\r\nbody"
        )
        return [raw.encode("utf-8")]

    with Listener(answer, keep_alive=True) as server:
        response = client.get(server.url + "a")
    base = server.url
    assert response.hops == (
        Hop(url=base + "a", status=301),
        Hop(url=base + "b", status=302),
        Hop(url=base + "c?d=%C3%A9", status=308),
    )
    assert (response.url, response.body) == (base + "end", b"there")
    assert server.connections == 1, "a short redirect body does not cost the connection"


def test_a_redirect_without_a_location_is_the_answer(client: HttpClient) -> None:
    with Listener(reply(b"lost", status="302 Found")) as server:
        assert client.get(server.url).body == b"lost"


def test_redirects_without_end_are_a_problem(client: HttpClient) -> None:
    with Listener(reply(status="302 Found", headers={"Location": "/again"})) as server:
        with pytest.raises(RequestFailed, match="redirected once more after 5 redirects"):
            client.get(server.url)
        assert len(server.requests) == 6


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "javascript:1",
        "http:///x",
        "http://[",
        "http://xn--/",
        "http://xn--a.com/",
    ],
)
def test_a_redirect_to_anything_but_http_is_refused(client: HttpClient, location: str) -> None:
    with Listener(reply(status="302 Found", headers={"Location": location})) as server:
        with pytest.raises(RequestFailed):
            client.get(server.url)


def test_a_secret_meant_for_one_origin_is_not_shown_to_another(client: HttpClient) -> None:
    with Listener(reply(b"other")) as other:
        back = reply(status="307 Temporary", headers={"Location": other.url})
        with Listener(back) as first:
            secrets = {"AUTHORIZATION": "Bearer s", "Cookie": "a=b", "If-None-Match": '"x"'}
            client.get(first.url, headers=secrets)
    assert head_of(first.requests[0])["authorization"] == "Bearer s"
    received = head_of(other.requests[0])
    assert "authorization" not in received and "cookie" not in received
    assert received["if-none-match"] == '"x"'


def test_a_secret_follows_a_redirect_within_its_origin(client: HttpClient) -> None:
    def answer(request: bytes) -> list[bytes]:
        if request.startswith(b"GET /in "):
            return [reply(b"in")]
        return [reply(status="302 Found", headers={"Location": "/in"})]

    with Listener(answer) as server:
        client.get(server.url, headers={"Authorization": "Bearer s"})
    assert head_of(server.requests[1])["authorization"] == "Bearer s"


@pytest.mark.parametrize(
    "url",
    ["", "feed", "/feed", "file:///etc/passwd", "ftp://example.com/x", "http://", "http://user:pw@127.0.0.1/",
     "http://user@127.0.0.1/", "http://[::1", "http://xn--/", "http://xn--a.com/",
     "http://a b/", "http://127.0.0.1:99999/", "http://x\x00y/",
     "http:\\\\127.0.0.1/", "https://" + "a" * 70_000],
)  # fmt: skip
def test_what_is_no_web_address_is_refused_in_one_sentence(client: HttpClient, url: str) -> None:
    with pytest.raises(RequestFailed) as caught:
        client.get(url)
    assert caught.value.message.endswith(".") and "\n" not in caught.value.message


@pytest.mark.parametrize(
    "headers",
    [{"If-None-Match": "a\r\nX: b"}, {"If-None-Match": "\u2028"}, {"Bad Name": "x"}, {"X\r\nY": "z"}],
)
def test_a_header_that_could_become_two_is_refused(client: HttpClient, headers: dict[str, str]) -> None:
    with Listener(reply()) as server:
        with pytest.raises(RequestFailed, match="header that cannot be sent"):
            client.get(server.url, headers=headers)
    assert server.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"x" * 5000, mtime=0)[:-9],
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nshort!",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\nsomething else",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBroken",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
def test_an_answer_cut_short_or_garbled_is_a_problem_and_never_a_short_body(
    client: HttpClient, answer: bytes
) -> None:
    with Listener(answer) as server:
        with pytest.raises(RequestFailed):
            client.get(server.url)


def test_a_body_of_exactly_the_cap_is_accepted_and_one_byte_more_is_too_large(client: HttpClient) -> None:
    with Listener(reply(b"x" * 1000)) as server:
        assert len(client.get(server.url, max_bytes=1000).body) == 1000
        with pytest.raises(TooLarge, match="longer than 999 bytes"):
            client.get(server.url, max_bytes=999)


def test_a_body_without_end_is_too_large(client: HttpClient) -> None:
    def endless(request: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while not server.stopped.is_set():
            yield b"4000\r\n" + b"x" * 0x4000 + b"\r\n"

    with Listener(endless) as server:
        with pytest.raises(TooLarge, match="longer than 2 MiB"):
            client.get(server.url, max_bytes=2 * 1024 * 1024)


@pytest.mark.parametrize("part", ["status", "headers", "interim", "body", "redirect"])
def test_a_server_that_sends_a_little_at_a_time_cannot_outlast_the_deadline(
    client: HttpClient, part: str
) -> None:
    def drip(request: bytes) -> Iterator[bytes]:
        start = {
            "status": b"",
            "headers": b"HTTP/1.1 200 OK\r\n",
            "interim": b"",
            "body": b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n",
            "redirect": b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 9999\r\n\r\n",
        }[part]
        yield start
        pieces = {"status": b"H", "interim": b"HTTP/1.1 103 Early Hints\r\n\r\n"}
        while not server.stopped.wait(0.1):
            yield pieces.get(part, b"x")

    with Listener(drip) as server:
        with pytest.raises(RequestFailed, match=r"within 0\.5 s"):
            client.get(server.url, deadline_s=0.5)
        assert server.connections == 1


def test_the_deadline_spans_all_hops(client: HttpClient) -> None:
    def slowly_on(request: bytes) -> Iterator[bytes]:
        server.stopped.wait(0.3)
        yield reply(status="302 Found", headers={"Location": "/on"})

    with Listener(slowly_on) as server:
        with pytest.raises(RequestFailed, match=r"within 0\.7 s"):
            client.get(server.url, deadline_s=0.7, max_redirects=100)
        assert 1 < len(server.requests) < 5


def test_nobody_listening_is_told(client: HttpClient) -> None:
    with Listener(reply()) as server:
        url = server.url
    with pytest.raises(RequestFailed, match=r"No connection to 127\.0\.0\.1: .*refused"):
        client.get(url)


def test_a_name_that_does_not_exist_is_told() -> None:
    def nothing(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with HttpClient(resolver=nothing) as client:
        with pytest.raises(
            RequestFailed, match=r"No connection to blog\.example: its name could not be found"
        ):
            client.get("http://blog.example/")


def test_a_look_up_that_hangs_ends_with_the_deadline() -> None:
    release = threading.Event()

    def hang(host: str, port: int) -> list[str]:
        release.wait(20)
        return []

    with HttpClient(resolver=hang) as client:
        with pytest.raises(RequestFailed, match=r"within 0\.3 s"):
            client.get("http://blog.example/", deadline_s=0.3)
    release.set()


def test_a_dead_address_leaves_time_for_the_next_one() -> None:
    with Listener(reply(b"alive"), host="127.0.0.3") as server:

        def two(host: str, port: int) -> list[str]:
            return ["127.0.0.2", "127.0.0.3"]

        with HttpClient(allow_private=True, resolver=two) as client:
            assert client.get(f"http://blog.example:{server.port}/").body == b"alive"


def test_connections_are_reused(client: HttpClient) -> None:
    with Listener(reply(b"ok"), keep_alive=True) as server:
        for _ in range(5):
            client.get(server.url)
        assert (server.connections, len(server.requests)) == (1, 5)


def test_an_idle_connection_that_the_server_closed_costs_no_error(client: HttpClient) -> None:
    answered = threading.Event()

    def once(request: bytes) -> Iterator[bytes]:
        # The first connection closes on the second request, as one does whose idle time is just over.
        if answered.is_set() and server.connections == 1:
            raise ConnectionResetError
        answered.set()
        yield reply(b"ok")

    with Listener(once, keep_alive=True) as server:
        assert client.get(server.url).body == b"ok"
        assert client.get(server.url).body == b"ok"
        assert server.connections == 2


def test_a_post_is_never_sent_twice(client: HttpClient) -> None:
    def once(request: bytes) -> Iterator[bytes]:
        if request.startswith(b"POST"):
            raise ConnectionResetError
        yield reply(b"ok")

    with Listener(once, keep_alive=True) as server:
        client.get(server.url)
        with pytest.raises(RequestFailed):
            client.post(server.url, data={"a": "b"})
        assert len(server.requests) == 2


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    with Listener(reply(b"proxy")) as proxy, Listener(reply(b"origin")) as origin:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        with HttpClient(allow_private=True) as client:
            assert client.get(origin.url).body == b"origin"
        assert proxy.connections == 0


def test_cookies_are_not_kept(client: HttpClient) -> None:
    with Listener(reply(headers={"Set-Cookie": "id=1"})) as server:
        client.get(server.url)
        client.get(server.url)
    assert "cookie" not in head_of(server.requests[1])
