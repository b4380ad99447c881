"""The sample mailbox: what is mailed to it lies in files and can be read on its pages."""

from __future__ import annotations

import email.policy
import smtplib
from collections.abc import Generator
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from newsletter.demo.mailbox import SampleMailbox

PIXEL = bytes.fromhex(
    "47494638396101000100800000ff0000ffffff21f90400000000002c00000000010001000002024401003b"
)


@pytest.fixture
def box(tmp_path: Path) -> Generator[SampleMailbox, None, None]:
    with SampleMailbox(tmp_path / "mail") as running:
        yield running


def a_message(
    *, subject: str = "Soup for bad days", html: str | None = "<p>Hello &amp; welcome</p>"
) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "The Patient Notebook <notes@example.com>"
    message["To"] = "Ada Lovelace <ada@example.org>"
    message["Subject"] = subject
    message["Date"] = "Tue, 17 Nov 2026 09:52:00 +0100"
    message["List-Unsubscribe"] = "<http://localhost:8000/u/abc>"
    message.set_content("Hello & welcome\n.\n.. dots <b>stay</b>\n")
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


def deliver(box: SampleMailbox, message: EmailMessage | bytes, *recipients: str) -> None:
    with smtplib.SMTP("127.0.0.1", int(box.smtp_url.rpartition(":")[2]), timeout=10) as client:
        content = message if isinstance(message, bytes) else message.as_bytes(policy=email.policy.SMTP)
        client.sendmail("notes@example.com", recipients or ("ada@example.org",), content)


def page(box: SampleMailbox, path: str = "/") -> str:
    answer = httpx.get(box.url + path)
    assert answer.status_code == 200
    return answer.text


def test_a_message_lies_in_a_file_byte_for_byte(box: SampleMailbox) -> None:
    sent = a_message()
    deliver(box, sent)
    [stored] = box.messages()
    assert stored.path == box.folder / "0001-ada@example.org.eml"
    assert stored.recipient == "ada@example.org"
    trace, content = (
        stored.path.read_bytes().split(b"\r\n", 2)[:2],
        stored.path.read_bytes().split(b"\r\n", 2)[2],
    )
    assert trace == [b"Return-Path: <notes@example.com>", b"Delivered-To: ada@example.org"]
    assert content == sent.as_bytes(policy=email.policy.SMTP)


def test_each_recipient_has_a_file_and_a_number(box: SampleMailbox) -> None:
    deliver(box, a_message(), "ada@example.org", "bo@example.org")
    deliver(box, a_message(), "ada@example.org")
    assert [(one.number, one.recipient) for one in box.messages()] == [
        (1, "ada@example.org"),
        (2, "bo@example.org"),
        (3, "ada@example.org"),
    ]


def test_a_mailbox_opened_again_keeps_what_it_had(tmp_path: Path) -> None:
    for _ in range(2):
        with SampleMailbox(tmp_path) as box:
            deliver(box, a_message())
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "0001-ada@example.org.eml",
        "0002-ada@example.org.eml",
    ]


def test_an_address_cannot_leave_the_folder(box: SampleMailbox) -> None:
    deliver(box, a_message(), '"../../../tmp/x"@example.org')
    [stored] = box.messages()
    assert stored.path.parent == box.folder
    assert stored.path.name == "0001-.._.._.._tmp_x@example.org.eml"


def test_mail_that_cannot_be_filed_is_not_accepted(box: SampleMailbox) -> None:
    box.folder.rmdir()
    with pytest.raises(smtplib.SMTPDataError, match=r"4\.3\.1"):
        deliver(box, a_message())


def test_an_empty_mailbox_says_so_and_looks_again_by_itself(box: SampleMailbox) -> None:
    assert "Nothing has arrived yet." in page(box)
    assert '<meta http-equiv="refresh"' in page(box)


def test_the_list_has_the_newest_message_first(box: SampleMailbox) -> None:
    deliver(box, a_message(subject="First"))
    deliver(box, a_message(subject="Second"))
    text = page(box)
    assert text.index("Second") < text.index("First")
    assert "2 messages" in text
    assert "Ada Lovelace" in text
    assert "from The Patient Notebook" in text


def test_a_message_can_be_read_as_html_text_headers_and_source(box: SampleMailbox) -> None:
    deliver(box, a_message())
    at = "/message/0001-ada@example.org"
    assert f'src="{quote(at)}/html" sandbox="allow-popups allow-popups-to-escape-sandbox"' in page(box, at)
    assert "<p>Hello &amp; welcome</p>" in page(box, at + "/html")
    assert "Hello &amp; welcome\n.\n.. dots &lt;b&gt;stay&lt;/b&gt;" in page(box, at + "?view=text")
    assert "<dt>List-Unsubscribe</dt><dd>&lt;http://localhost:8000/u/abc&gt;</dd>" in page(
        box, at + "?view=headers"
    )
    assert page(box, at + "/source").startswith("Return-Path: <notes@example.com>")


def test_a_message_without_html_opens_as_text(box: SampleMailbox) -> None:
    deliver(box, a_message(html=None))
    text = page(box, "/message/0001-ada@example.org")
    assert "Hello &amp; welcome" in text
    assert "<iframe" not in text


def test_embedded_pictures_are_shown(box: SampleMailbox) -> None:
    message = a_message(html='<img src="cid:dot@example.com">')
    html = message.get_body(("html",))
    assert html is not None
    html.add_related(PIXEL, "image", "gif", cid="<dot@example.com>")
    deliver(box, message)
    shown = page(box, "/message/0001-ada@example.org/html")
    path = shown.partition('src="')[2].partition('"')[0]
    picture = httpx.get(box.url + path)
    assert picture.content == PIXEL
    assert picture.headers["Content-Type"] == "image/gif"


@pytest.mark.parametrize("index", ["0", "1", "99", "-1", "x"])
def test_only_pictures_are_served_as_pictures(box: SampleMailbox, index: str) -> None:
    deliver(box, a_message())
    assert httpx.get(f"{box.url}/message/0001-ada@example.org/part/{index}").status_code == 404


def test_what_a_stranger_wrote_is_escaped_on_the_pages(box: SampleMailbox) -> None:
    message = a_message(subject="<script>alert(1)</script>")
    message.replace_header("From", '"<img src=x onerror=alert(1)>" <x@example.org>')
    deliver(box, message)
    at = "/message/0001-ada@example.org"
    for text in (page(box), page(box, at), page(box, at + "?view=headers")):
        assert "<script>" not in text
        assert "<img" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n",
        b"no header at all",
        b"Date: never\r\nFrom: @@@\r\nTo: <<<>>>\r\nSubject: =?x?y?z?=\r\n\r\nhm",
        b"Content-Type: text/html; charset=klingon\r\n\r\n<p>nuq\xff</p>",
        b'Content-Type: multipart/alternative; boundary="x"\r\n\r\nno part',
        b"Subject: \xff\xfe\r\nTo: Ada\r\nContent-Transfer-Encoding: base64\r\n\r\n====",
        b'From: "unclosed <a@example.org>\r\nMessage-ID: <<\r\nContent-Type: ;;;\r\n\r\nx',
    ],
)
def test_a_malformed_message_still_has_its_pages(box: SampleMailbox, raw: bytes) -> None:
    deliver(box, raw)
    at = "/message/0001-ada@example.org"
    assert "1 message" in page(box)
    for path in (
        at,
        at + "?view=text",
        at + "?view=headers",
        at + "?view=nonsense",
        at + "/html",
        at + "/source",
    ):
        page(box, path)


@pytest.mark.parametrize(
    "path", ["/nothing", "/message/9999-x", "/message/..%2f..%2fetc%2fpasswd", "/message/"]
)
def test_there_is_nothing_else(box: SampleMailbox, path: str) -> None:
    assert httpx.get(box.url + path).status_code == 404


def test_a_page_elsewhere_cannot_read_the_mail_by_naming_this_machine_its_own(box: SampleMailbox) -> None:
    answer = httpx.get(box.url, headers={"Host": "evil.example:8222"})
    assert answer.status_code == 421
    assert httpx.get(box.url, headers={"Host": f"localhost:{httpx.URL(box.url).port}"}).status_code == 200


def test_no_page_allows_a_script(box: SampleMailbox) -> None:
    deliver(box, a_message())
    at = "/message/0001-ada@example.org"
    for path in ("/", at, at + "/html", at + "/source", "/style.css"):
        policy = httpx.get(box.url + path).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
    assert (
        httpx.get(box.url + at + "/html")
        .headers["Content-Security-Policy"]
        .startswith("sandbox allow-popups ")
    )


def test_taken_ports_do_not_stop_the_mailbox(box: SampleMailbox, tmp_path: Path) -> None:
    smtp_port, web_port = (int(url.rpartition(":")[2]) for url in (box.smtp_url, box.url))
    with SampleMailbox(tmp_path / "second", smtp_port=smtp_port, web_port=web_port) as second:
        deliver(second, a_message())
        assert len(second.messages()) == 1
        assert "1 message" in page(second)
    assert box.messages() == []


def test_a_closed_mailbox_has_no_address(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="not open"):
        _ = SampleMailbox(tmp_path).smtp_url
