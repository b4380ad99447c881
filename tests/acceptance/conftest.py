"""The whole product on each database and through each way of sending, on loopback."""

from __future__ import annotations

import email
import email.policy
import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from newsletter import wiring
from newsletter.demo.blog_server import SampleBlog
from newsletter.wiring import House
from tests.support.sendgrid import SendGridStandIn
from tests.support.smtp import SmtpSink

READERS = tuple(f"reader{number}@example.org" for number in range(1, 6))
SECRET = "a secret key of the tests that is long enough"


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """One message as its recipient has it, however it came."""

    to: str
    subject: str
    headers: Mapping[str, str]
    html: str
    text: str

    @property
    def words(self) -> str:
        """The words of the HTML part, one space between."""
        body = re.sub(r"(?s)<(style|title|head)\b.*?</\1>", "", self.html)
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


Mail = Callable[[], Sequence[Arrived]]


def arrived(data: bytes) -> Arrived:
    message = email.message_from_bytes(data, policy=email.policy.default)
    bodies = {
        part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()
    }
    return Arrived(
        to=str(message["To"]),
        subject=str(message["Subject"]),
        headers={name: str(value) for name, value in message.items()},
        html=bodies["text/html"],
        text=bodies["text/plain"],
    )


@dataclass(frozen=True, kw_only=True)
class World:
    """A house that is set up, the blog it watches, and what arrived."""

    house: House
    blog: SampleBlog
    mail: Mail

    def issue_mail(self) -> list[Arrived]:
        """What arrived for subscribers, without the author's notices."""
        return [message for message in self.mail() if message.to in READERS]


@pytest.fixture
def blog() -> Iterator[SampleBlog]:
    with SampleBlog() as running:
        yield running


@pytest.fixture(params=["outbox", "smtp", "sendgrid"])
def sending(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[dict[str, str], Mail]]:
    """The settings of one way of sending, and what arrived by it."""
    if request.param == "outbox":
        folder = tmp_path / "outbox"
        yield (
            {"transport": "outbox"},
            lambda: [arrived(file.read_bytes()) for file in sorted((folder / "new").glob("*"))],
        )
    elif request.param == "smtp":
        with SmtpSink() as sink:
            yield (
                {"transport": "smtp", "smtp_url": sink.url, "rate": "unlimited"},
                lambda: [arrived(received.data) for received in sink.messages],
            )
    else:
        with SendGridStandIn() as standin:
            yield (
                {"transport": "sendgrid", "sendgrid_api_key": "SG.test", "sendgrid_url": standin.url},
                lambda: [
                    Arrived(
                        to=sent.address,
                        subject=sent.subject,
                        headers=sent.headers,
                        html=sent.html,
                        text=sent.text,
                    )
                    for sent in standin.messages
                ],
            )


@pytest.fixture
def fixed(database_url: str, sending: tuple[dict[str, str], Mail], tmp_path: Path) -> dict[str, str]:
    return {
        "secret_key": SECRET,
        "database_url": database_url,
        "data_dir": str(tmp_path),
        "base_url": "https://news.example.org",
        "sender": "Marian Holt <marian@notebook.example>",
        "postal_address": "PO Box 117, 4820 Little Harbour",
        "allow_private_addresses": "true",
        "first_poll": "newest",
        "settle": "0",
        **sending[0],
    }


@pytest.fixture
def world(fixed: dict[str, str], blog: SampleBlog, sending: tuple[dict[str, str], Mail]) -> Iterator[World]:
    with wiring.build(fixed) as house:
        for address in READERS:
            house.desk.add_subscriber(address)
        house.desk.add_feed(blog.feed_url)
        yield World(house=house, blog=blog, mail=sending[1])
