from __future__ import annotations

import csv
import io
import os
import random
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeAlias

import pytest
from sqlalchemy import select

from newsletter.store.database import Database
from subscribers import imports
from subscribers.addresses import normalise
from subscribers.errors import Invalid
from subscribers.imports import ImportedRow, Outcome, reading
from subscribers.model import ConsentKind, SubscriberState, SuppressionCause
from subscribers.store import Subscribers
from subscribers.tables import batches, metadata
from tests.subscribers.people import DAY, KEY, NOW, joined

DIRECTLY = imports.How(ask_per_day=0)  # the files of the tests are years old

S: TypeAlias = SubscriberState
Did: TypeAlias = Outcome

FILES: dict[str, tuple[str, str, dict[str, S]]] = {
    "Mailchimp": (
        "subscribed_segment_export.csv",
        '"Email Address","First Name","Last Name",OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,EUID,TAGS\r\n'
        "ann@example.com,Ann,Lovelace,2019-05-04 10:00:00,,"
        '2019-05-04 10:02:00,203.0.113.77,ab12,"""vip"",""old"""\r\n',
        {"ann@example.com": S.ACTIVE},
    ),
    "Mailchimp: who left": (
        "unsubscribed_segment_export.csv",
        '"Email Address","First Name",OPTIN_TIME,EUID,UNSUB_TIME,UNSUB_REASON\r\n'
        "ann@example.com,Ann,2019-05-04 10:00:00,ab12,2020-01-01 00:00:00,\r\n",
        {"ann@example.com": S.UNSUBSCRIBED},
    ),
    "Mailchimp: cleaned": (
        "cleaned_segment_export.csv",
        '"Email Address","First Name",EUID,CLEAN_TIME\r\nann@example.com,Ann,ab12,2020-01-01 00:00:00\r\n',
        {"ann@example.com": S.BOUNCED},
    ),
    "Substack": (
        "email_list.csv",
        "email,active_subscription,expiry,email_disabled,created_at\n"
        "ann@example.com,false,,false,2021-06-01T10:00:00.000Z\n"
        "bob@example.com,false,,true,2021-06-01T10:00:00.000Z\n",
        {"ann@example.com": S.ACTIVE, "bob@example.com": S.UNSUBSCRIBED},
    ),
    "Ghost": (
        "members.csv",
        "id,email,name,note,subscribed_to_emails,complimentary_plan,created_at,labels\n"
        '1,ann@example.com,Ann,,true,,2022-01-01T00:00:00.000Z,"vip,old"\n'
        "2,bob@example.com,Bob,,false,,2022-01-01T00:00:00.000Z,\n",
        {"ann@example.com": S.ACTIVE, "bob@example.com": S.UNSUBSCRIBED},
    ),
    "Buttondown": (
        "subscribers.csv",
        "email,notes,metadata,tags,creation_date,subscriber_type\n"
        'ann@example.com,,{},"[""vip""]",2023-01-01,regular\n'
        "bob@example.com,,{},[],2023-01-01,unactivated\n"
        "cid@example.com,,{},[],2023-01-01,undeliverable\n"
        "dee@example.com,,{},[],2023-01-01,unsubscribed\n",
        {
            "ann@example.com": S.ACTIVE,
            "bob@example.com": S.UNCONFIRMED,
            "cid@example.com": S.BOUNCED,
            "dee@example.com": S.UNSUBSCRIBED,
        },
    ),
    "Kit": (
        "subscribers.csv",
        "first_name,email,status,created_at,tags\n"
        "Ann,ann@example.com,active,2023-01-01,vip\n"
        "Bob,bob@example.com,inactive,2023-01-01,\n"
        "Cid,cid@example.com,cancelled,2023-01-01,\n"
        "Dee,dee@example.com,complained,2023-01-01,\n",
        {
            "ann@example.com": S.ACTIVE,
            "bob@example.com": S.UNCONFIRMED,
            "cid@example.com": S.UNSUBSCRIBED,
            "dee@example.com": S.COMPLAINED,
        },
    ),
    "listmonk": (
        "subscribers.csv",
        "uuid,email,name,attributes,status,created_at,updated_at\n"
        "7,ann@example.com,Ann,{},enabled,2023-01-01,\n"
        "8,bob@example.com,Bob,{},blocklisted,2023-01-01,\n",
        {"ann@example.com": S.ACTIVE, "bob@example.com": S.UNSUBSCRIBED},
    ),
    "FeedBurner": (
        "feed.csv",
        "Email,Subscribed,Status\n"
        "ann@example.com,06/17/2009 09:52,Active\n"
        "bob@example.com,04/30/2009 01:37,Pending Verification\n"
        "cid@example.com,04/30/2009 01:37,Unverified\n",
        {"ann@example.com": S.ACTIVE, "bob@example.com": S.UNCONFIRMED, "cid@example.com": S.UNCONFIRMED},
    ),
    "SendGrid's bounces": (
        "suppression_bounces.csv",
        "status,reason,email,created\n5.1.1,550 no such user,ann@example.com,1443651125\n",
        {"ann@example.com": S.BOUNCED},
    ),
    "SendGrid's spam reports": (
        "spam.csv",
        "email,ip,created\nann@example.com,192.0.2.1,1443651125\n",
        {"ann@example.com": S.COMPLAINED},
    ),
    "SendGrid's unsubscribes": (
        "global_unsubscribes.csv",
        "email,created\nann@example.com,1443651125\n",
        {"ann@example.com": S.UNSUBSCRIBED},
    ),
    "a bare list": ("list.txt", "ann@example.com\nbob@example.com\n", {"ann@example.com": S.ACTIVE}),
    "semicolons": ("list.csv", 'Name;E-Mail\n"Ann; A.";ann@example.com\n', {"ann@example.com": S.ACTIVE}),
    "tabs": ("list.tsv", "name\temail\nAnn\tann@example.com\n", {"ann@example.com": S.ACTIVE}),
}


def _run(people: Subscribers, text: str, name: str = "list.csv") -> imports.Report:
    return imports.run(people, text.encode(), source=name, now=NOW, how=DIRECTLY)


@pytest.mark.parametrize("service", FILES)
def test_each_services_statuses_are_respected(people: Subscribers, service: str) -> None:
    name, text, expected = FILES[service]

    _run(people, text, name)

    for address, state in expected.items():
        found = people.by_address(address)
        assert found is not None and found.state is state
        claim = people.claimable([found.id], NOW)
        assert bool(claim.recipients) is (state is S.ACTIVE)


@pytest.mark.parametrize("service", FILES)
def test_a_dry_run_says_the_same_and_writes_nothing(people: Subscribers, service: str) -> None:
    name, text, _ = FILES[service]
    rows: list[ImportedRow] = []

    dry = imports.run(
        people, text.encode(), source=name, now=NOW, dry_run=True, how=DIRECTLY, each=rows.append
    )

    for table in metadata.sorted_tables:
        assert people.conn.execute(select(table)).all() == []
    real = _run(people, text, name)
    assert (real.counts, real.told) == (dry.counts, dry.told)
    assert len(rows) == dry.rows and "Nothing was changed" in dry.sentence


def test_names_tags_dates_and_proof_come_along(people: Subscribers) -> None:
    name, text, _ = FILES["Mailchimp"]
    _run(people, text, name)

    ann = people.by_address("ann@example.com")
    assert ann is not None
    (proof,) = people.consents(ann.id)

    assert (ann.name, ann.tags) == ("Ann Lovelace", ("old", "vip"))
    assert ann.joined_at == datetime(2019, 5, 4, 10, tzinfo=UTC)
    assert (proof.kind, proof.origin) == (ConsentKind.EXPRESS, "203.0.113.0/24")
    assert proof.at == datetime(2019, 5, 4, 10, 2, tzinfo=UTC)
    assert name in proof.source


def test_without_proof_the_consent_is_called_unknown(people: Subscribers) -> None:
    _run(people, "email\nann@example.com\n")

    ann = people.by_address("ann@example.com")
    assert ann is not None and people.consents(ann.id)[0].kind is ConsentKind.UNKNOWN


@pytest.mark.parametrize("cause", list(SuppressionCause))
def test_an_import_lifts_nothing(people: Subscribers, cause: SuppressionCause) -> None:
    people.suppressions.add(["ann@example.com"], cause, NOW)

    report = _run(people, "email\nAnn@Example.com\n")

    assert report.counts == {Did.REFUSED: 1}
    assert people.by_address("ann@example.com") is None
    assert people.suppressions.causes("ann@example.com") == {cause}


def test_every_row_is_told_with_its_line_and_why(people: Subscribers) -> None:
    joined(people, "there@example.com")
    left = joined(people, "left@example.com")
    people.unsubscribe(left.id, NOW)
    text = (
        "email,status\n"
        "new@example.com,active\n"
        "there@example.com,active\n"
        "left@example.com,active\n"
        "NEW@example.com,active\n"
        "nobody,active\n"
        ",active\n"
        "odd@example.com,wobbly\n"
        "gone@example.com,unsubscribed\n"
        "slip@gmial.com,active\n"
        "info@example.com,active\n"
    )
    rows: list[ImportedRow] = []
    imports.run(people, text.encode(), source="list.csv", now=NOW, each=rows.append)

    told = {row.line: (row.outcome, row.reason) for row in rows}

    assert [told[line][0] for line in sorted(told)] == [
        Did.ADDED, Did.UNCHANGED, Did.REFUSED, Did.TWICE, Did.INVALID, Did.INVALID, Did.INVALID,
        Did.KEPT_OUT, Did.ADDED, Did.ADDED,
    ]  # fmt: skip
    assert "only they can come back" in told[4][1]
    assert "earlier line" in told[5][1]
    assert "wobbly" in told[8][1]
    assert "gmail.com" in told[10][1]
    assert "office" in told[11][1]


def test_an_empty_status_is_read_as_if_there_were_none(people: Subscribers) -> None:
    text = b"email,status\nann@example.com,\nbob@example.com,unsubscribed\ncid@example.com,  \n"
    report = imports.run(people, text, source="list.csv", now=NOW)
    assert report.counts == {Did.ADDED: 2, Did.KEPT_OUT: 1}


def test_an_empty_status_in_a_file_of_those_who_left_keeps_them_out(people: Subscribers) -> None:
    report = imports.run(people, b"email,status\nann@example.com,\n", source="unsubscribed.csv", now=NOW)
    assert report.counts == {Did.KEPT_OUT: 1}


def test_a_row_that_is_left_out_is_told_with_its_address(people: Subscribers) -> None:
    text = b"email,status\nnobody,active\nodd@example.com,wobbly\n,active\n"
    report = imports.run(people, text, source="list.csv", now=NOW)
    assert [row.address for row in report.told] == ["nobody", "odd@example.com", ""]


def test_importing_twice_adds_nobody_twice(people: Subscribers) -> None:
    text = "email,name\nann@example.com,Ann\n"
    _run(people, text)
    before = people.list()

    report = _run(people, text)

    assert report.counts == {Did.UNCHANGED: 1} and people.list() == before


def test_what_somebody_chose_here_is_not_overwritten(people: Subscribers) -> None:
    ann = joined(people, name="Ann")
    people.tag([ann.id], NOW, add=["mine"])

    report = _run(people, "email,name,tags\nann@example.com,Someone Else,new\n")

    kept = people.get(ann.id)
    assert report.counts == {Did.CHANGED: 1}
    assert (kept.name, kept.tags) == ("Ann", ("mine", "new"))


def test_a_long_file_is_told_in_part_and_counted_whole(people: Subscribers) -> None:
    text = "email\n" + "nobody\n" * 1500 + "".join(f"p{n}@example.com\n" for n in range(2500))
    steps: list[tuple[int, int]] = []

    report = imports.run(
        people,
        text.encode(),
        source="list.csv",
        now=NOW,
        progress=lambda done, total: steps.append((done, total)),
    )

    assert report.counts == {Did.INVALID: 1500, Did.ADDED: 2500}
    assert (len(report.told), report.hidden) == (1000, 500)
    assert steps[-1][0] == 4000 and all(done <= total for done, total in steps)


@pytest.mark.parametrize(
    "content",
    [
        "email\nann@example.com,Müller\n".encode("cp1252"),
        "email,name\nann@example.com,Müller\n".encode("utf-8-sig"),
        "email,name\nann@example.com,Müller\n".encode("utf-16"),
        b"email,name\r\nann@example.com,x\r\n\r\n\r\n",
    ],
)
def test_encodings_are_guessed(people: Subscribers, content: bytes) -> None:
    imports.run(people, content, source="list.csv", now=NOW)

    assert people.by_address("ann@example.com") is not None


@pytest.mark.parametrize(
    "text",
    [
        "\nemail,name\nann@example.com,Ann\n",
        "\r\n , \r\nemail,name\r\nann@example.com,Ann\r\n",
        "sep=;\nemail;name\nann@example.com;Ann\n",
        '"sep=;"\r\n\r\nname;email\r\n"A, B; C, D";ann@example.com\r\n',
        "sep=\t\nname\temail\nAnn\tann@example.com\n",
        "sep=;\nann@example.com;Ann\n",
        "\n\nann@example.com\n",
    ],
)
def test_the_row_of_names_is_the_first_that_says_something(people: Subscribers, text: str) -> None:
    rows: list[ImportedRow] = []

    imports.run(people, text.encode(), source="list.csv", now=NOW, how=DIRECTLY, each=rows.append)

    assert [(row.address, row.line) for row in rows] == [("ann@example.com", len(text.splitlines()))]
    assert people.by_address("ann@example.com") is not None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"sep=;\r\n", "first line"),
        (b"  \n ", "empty"),
        (b"PK\x03\x04zip", "cannot be unpacked"),
        (b"a\x00b", "not a CSV"),
        (b"first,second\n1,2\n", "called like an email"),
        (b"\xff\xfea", "damaged"),
        (b'email\n"' + b"x" * 200_000 + b'"\n', "cannot be read as CSV"),
    ],
)
def test_what_is_no_list_is_told_in_one_sentence(people: Subscribers, content: bytes, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        imports.run(people, content, source="x.csv", now=NOW)


OWN = "address,state,consent_kind,consent_at,tags,topics_off,earlier_consents\r\n"
ENDLESS = "[" * 50_000
UNLIKELY_CELLS = {
    "nested tags": ("email,tags\n{address}," + ENDLESS + "\n", ()),
    "a list among tags": ('email,tags\n{address},"[""vip"", [1], {{}}, null, 7]"\n', ("7", "vip")),
    "half a character": ('email,tags\n{address},"[""\\ud800"", ""a\\udfffb"", ""c\\u0000""]"\n', ("ab", "c")),
    "half a name": (
        'uuid,email,attributes\n1,{address},"{{""name"": ""A\\ud800nn"", ""tags"": [""\\udc00v""]}}"\n',
        ("v",),
    ),
    "nested attributes": ("uuid,email,attributes\n1,{address},{{" + ENDLESS + "\n", ()),
    "a huge moment": (
        OWN + f'{{address}},active,express,2024-01-01,,,"[[""express"",{10**30},"""","""","""",null]]"\n',
        (),
    ),
    "a huge end": (
        OWN + f'{{address}},active,express,2024-01-01,,,"[[""express"",1,"""","""","""",{2**63 - 1}]]"\n',
        (),
    ),
    "half a source": (
        OWN + '{address},active,express,2024-01-01,,,"[[""express"",1,""\\ud800"","""",""\\ud800"",null]]"\n',
        (),
    ),
    "an unhashable kind": (
        OWN + '{address},active,express,2024-01-01,,,"[[[],1,"""","""","""",null]]"\n',
        (),
    ),
}


@pytest.mark.parametrize("cell", UNLIKELY_CELLS)
def test_no_cell_stops_the_rows_beside_it(people: Subscribers, cell: str) -> None:
    text, tags = UNLIKELY_CELLS[cell]
    header, row, _ = text.partition("\n")[0], *text.partition("\n")[2].partition("\n")[:2]
    lines = [header, row.format(address="ann@example.com"), row.format(address="bob@example.com"), ""]

    dry = imports.run(
        people, "\n".join(lines).encode(), source="list.csv", now=NOW, dry_run=True, how=DIRECTLY
    )
    report = _run(people, "\n".join(lines))

    assert report.counts == dry.counts == {Did.ADDED: 2}
    for one in people.list():
        assert "\ufffd" not in one.name
        people.consents(one.id)
        if cell != "nested tags":
            assert one.tags == tags


def test_a_files_name_need_not_be_unicode(people: Subscribers) -> None:
    _run(people, "email\nann@example.com\n", os.fsdecode(b"abonn\xe9s.csv"))

    ann = people.by_address("ann@example.com")
    assert ann is not None and people.consents(ann.id)[0].source == "import: abonns.csv"


@pytest.mark.parametrize(
    ("until", "ends"),
    [
        ("", None),  # an older consent has no end
        ("2031-01-01T00:00:00Z", datetime(2031, 1, 1, tzinfo=UTC)),
        ("some day", datetime(2030, 1, 1, tzinfo=UTC)),  # what cannot be read counts as not there
    ],
)
def test_our_own_file_says_how_long_a_consent_lasts(
    people: Subscribers, until: str, ends: datetime | None
) -> None:
    people.insert(normalise("bob@example.com"), S.UNCONFIRMED, NOW)
    header = "address,state,consent_until,consent_kind,consent_at,consent_expires_at\n"
    row = f"active,{until},implied,2024-01-01T00:00:00Z,2030-01-01T00:00:00Z\n"

    _run(people, f"{header}ann@example.com,{row}bob@example.com,{row}")

    assert [one.consent_until for one in people.list()] == [ends, ends]


def test_a_column_that_is_not_used_is_named(people: Subscribers) -> None:
    wide = ",".join(f"c{n}" for n in range(14))
    report = _run(people, f"email,wants mail,{wide}\nann@example.com,no\n")

    *_, unused = report.columns
    assert unused == f"not used: wants mail, {', '.join(f'c{n}' for n in range(11))} and 3 more"


@pytest.mark.parametrize("column", ["Status", "MEMBER_STATUS", "Email status", "Subscriber Status"])
def test_whoever_left_elsewhere_stays_out_whatever_their_status_is_called(
    people: Subscribers, column: str
) -> None:
    _run(people, f"email,{column}\nann@example.com,unsubscribed\nbob@example.com,subscribed\n")

    assert {one.address: one.state for one in people.list()} == {
        "ann@example.com": S.UNSUBSCRIBED,
        "bob@example.com": S.ACTIVE,
    }


def test_formulas_put_in_by_an_export_are_taken_out_again(people: Subscribers) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["email", "name"], ["'+ann@example.com", "'=Ann"]])

    _run(people, out.getvalue())

    ann = people.by_address("+ann@example.com")
    assert ann is not None and ann.name == "=Ann"


def test_an_interrupted_import_is_resumed_by_running_it_again(database: Database) -> None:
    content = ("email\n" + "".join(f"p{n}@example.com\n" for n in range(2500))).encode()
    steps = 0

    @contextmanager
    def work() -> Iterator[Subscribers]:
        nonlocal steps
        steps += 1
        with database.write() as conn:
            yield Subscribers(conn, keys=[KEY])
            if steps == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        imports.run_in_steps(work, content, source="list.csv", now=NOW)
    report = imports.run_in_steps(work, content, source="list.csv", now=NOW + DAY)

    assert report.counts == {Did.UNCHANGED: 1000, Did.ADDED: 1500}
    with database.read() as conn:
        people = Subscribers(conn, keys=[KEY])
        assert people.counts()[S.ACTIVE] == 2500
        created = select(batches.c.created).order_by(batches.c.id)
        assert list(conn.execute(created).scalars()) == [1000, 1500]


def _zip(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name, text in files.items():
            target.writestr(name, text)
    return packed.getvalue()


def test_mailchimp_s_zip_keeps_out_who_left_even_where_another_file_has_them(people: Subscribers) -> None:
    content = _zip(
        {
            "subscribed_members_export_1.csv": "Email Address,EUID\nann@example.com,1\nbob@example.com,2\n",
            "unsubscribed_members_export_1.csv": "Email Address,EUID,UNSUB_TIME\nbob@example.com,2,2020\n",
            "cleaned_members_export_1.csv": "Email Address,EUID,CLEAN_TIME\ncid@example.com,3,2020-01-01\n",
            "nonsubscribed_members_export_1.csv": "Email Address,EUID\ndee@example.com,4\n",
        }
    )

    imports.run(people, content, source="export.zip", now=NOW)

    assert {one.address: one.state for one in people.list()} == {
        "ann@example.com": S.ACTIVE,
        "bob@example.com": S.UNSUBSCRIBED,
        "cid@example.com": S.BOUNCED,
        "dee@example.com": S.UNCONFIRMED,
    }


def test_substack_s_zip_is_its_list_and_not_who_opened_what(people: Subscribers) -> None:
    content = _zip(
        {
            "email_list.blog.csv": "email,email_disabled,created_at\nann@example.com,false,\n",
            "posts.csv": "post_id,title\n1,One\n",
            "posts/1.opens.csv": "post_id,timestamp,email\n1,2024-01-01,reader@example.com\n",
            "posts/1.html": "<p>mail@example.com</p>",
        }
    )

    imports.run(people, content, source="export.zip", now=NOW)

    assert [one.address for one in people.list()] == ["ann@example.com"]


@pytest.mark.parametrize(
    "packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_damaged_zip_is_told_in_one_sentence(packing: int) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", packing) as archive:
        archive.writestr("list.csv", "email\n" + "".join(f"p{n}@example.com\n" for n in range(200)))
    content, draw = packed.getvalue(), random.Random(packing)
    told = 0
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(draw.randint(1, 6)):
            damaged[draw.randrange(4, len(damaged))] = draw.randrange(256)
        try:
            reading.read(bytes(damaged), "list.zip")
        except Invalid as problem:
            told += 1
            assert problem.message.endswith(".")
    assert told > 100


def test_a_zip_that_unpacks_to_too_much_is_refused(
    people: Subscribers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscribers.imports.reading.MOST_BYTES", 10_000)

    with pytest.raises(Invalid, match="more than"):
        imports.run(people, _zip({"a.csv": "a@b.de\n" * 2_000}), source="bomb.zip", now=NOW)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("EmailAddress,Reason,LastUpdateTime\nann@example.com,BOUNCE,2024-01-01T00:00:00Z\n", S.BOUNCED),
        ("EmailAddress,Reason,LastUpdateTime\nann@example.com,COMPLAINT,\n", S.COMPLAINED),
        ("EmailAddress,SuppressionReason,Origin,CreatedAt\nann@example.com,HardBounce,,\n", S.BOUNCED),
        ("address,code,error,created_at\nann@example.com,550,no such user,\n", S.BOUNCED),
        ("email,created\nann@example.com,1443651125\n", S.UNSUBSCRIBED),
    ],
)
def test_suppression_files_keep_out_whatever_they_are_called(
    people: Subscribers, text: str, state: S
) -> None:
    imports.run(people, text.encode(), source="download.csv", now=NOW)

    assert [one.state for one in people.list()] == [state]


def test_a_file_can_be_said_to_keep_everybody_in_it_out(people: Subscribers) -> None:
    imports.run(people, b"ann@example.com\n", source="x.csv", now=NOW, how=imports.How(never_mail=True))

    assert people.list()[0].state is S.UNSUBSCRIBED


def test_what_was_guessed_is_shown(people: Subscribers) -> None:
    report = imports.run(people, b"Full Name;E-Mail\nAnn;ann@example.com\n", source="x.csv", now=NOW)

    assert list(report.columns) == ["E-Mail: address", "Full Name: name"]
    assert report.guessed == "UTF-8, semicolon between the columns, a first row of names"
