"""What a script without us does: EmailMessage and smtplib, one connection, one message after another.

    python -m tests.bench.smtp_loop PORT MESSAGES

Prints messages a second and client CPU microseconds per message, as one line of JSON.
"""

from __future__ import annotations

import json
import smtplib
import sys
from email.message import EmailMessage
from email.utils import make_msgid

from tests.bench.sender import PARAGRAPH, spent


def message(number: int) -> EmailMessage:
    name, url = f"Reader {number}", f"https://news.example/u/{number:032x}"
    made = EmailMessage()
    made["From"] = "Ada <ada@news.example>"
    made["To"] = f"reader{number}@readers.example"
    made["Subject"] = "A morning letter"
    made["Message-ID"] = make_msgid(domain="news.example")
    made["List-Unsubscribe"] = f"<{url}>"
    made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    made.set_content(f"Good morning, {name}.\n{PARAGRAPH * 85}\nLeave: {url}\n", cte="quoted-printable")
    html = f"Good morning, {name}.\n{PARAGRAPH * 690}\nLeave: {url}\n"
    made.add_alternative(html, subtype="html", cte="quoted-printable")
    return made


def main(port: int, messages: int) -> None:
    def send() -> None:
        with smtplib.SMTP("127.0.0.1", port) as smtp:
            for number in range(messages):
                smtp.send_message(message(number))

    took = spent(send)
    print(json.dumps({"rate": messages / took.seconds, "cpu_us": took.cpu_s / messages * 1e6}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
