"""The draft page: look, change, approve only what was seen."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import httpx
import pytest

from newsletter.model.issue import IssueState
from newsletter.pipeline import Step
from subscribers.segments import Filter
from tests.support.smtp import SmtpSink
from tests.web.conftest import Studio


def form_of(visitor: httpx.Client, issue: int) -> dict[str, str | list[str]]:
    """What the draft's form would send if nothing was touched."""
    text = visitor.get(f"/studio/issues/{issue}").text

    def one(pattern: str) -> str:
        found = re.search(pattern, text)
        assert found, pattern
        return html.unescape(found[1])

    return {
        "subject": one(r'name="subject" value="([^"]*)"'),
        "preheader": one(r'name="preheader"[^>]*>([^<]*)<'),
        "note": one(r'name="note"[^>]*>([^<]*)<'),
        "include": re.findall(r'name="include" value="(\d+)"', text),
        "seen": one(r'name="seen" id="seen" value="([^"]*)"'),
    }


def test_the_page_shows_the_subject_the_checklist_and_one_clear_button(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        text = visitor.get(f"/studio/issues/{issue}").text
    assert "Low-Dose Naltrexone (LDN)" in text
    assert "Everybody has an unsubscribe link of their own." in text
    assert text.count("Approve and send") == 1
    assert "disabled>Approve" not in text


def test_the_email_is_framed_under_a_policy_that_lets_nothing_run(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        page = visitor.get(f"/studio/issues/{issue}").text
        assert 'sandbox=""' in page
        for view in ("desktop", "phone", "text", "source"):
            answer = visitor.get(f"/studio/issues/{issue}/preview?view={view}")
            assert answer.status_code == 200
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("sandbox; default-src 'none';"), view
            assert "frame-ancestors 'self'" in policy
            assert answer.headers["referrer-policy"] == "no-referrer"
        assert "seven" in answer.text or "naltrexone" in answer.text.lower()


def test_a_stranger_sees_no_preview(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor(signed_in=False) as visitor:
        assert visitor.get(f"/studio/issues/{issue}/preview").status_code == 303


def test_what_is_typed_is_saved_and_shown_in_the_email(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        form = form_of(visitor, issue) | {"subject": "What LDN is", "note": "Hello *everyone*,\r\nread on."}
        answer = visitor.post(f"/studio/issues/{issue}/edit", data=form)
        assert answer.headers["location"] == f"/studio/issues/{issue}?done=saved"
        email = visitor.get(f"/studio/issues/{issue}/preview").text
    assert "<em>everyone</em>" in email
    assert studio.house.desk.issue(issue).issue.subject == "What LDN is"
    assert studio.house.desk.issue(issue).issue.note == "Hello *everyone*,\nread on."


def test_saving_without_a_change_keeps_the_subject_following_the_post(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        visitor.post(f"/studio/issues/{issue}/edit", data=form_of(visitor, issue))
    assert not studio.house.desk.issue(issue).issue.subject_edited


def test_approving_what_was_seen_approves_it(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        answer = visitor.post(f"/studio/issues/{issue}/approve", data=form_of(visitor, issue))
        assert answer.headers["location"] == f"/studio/issues/{issue}?done=approved-now"
        assert "Back to draft" in visitor.get(f"/studio/issues/{issue}").text
    assert studio.house.desk.issue(issue).issue.state is IssueState.APPROVED


def test_approving_with_unsaved_changes_saves_them_and_asks_to_look_again(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        form = form_of(visitor, issue) | {"note": "One more thing."}
        answer = visitor.post(f"/studio/issues/{issue}/approve", data=form)
        assert answer.headers["location"] == f"/studio/issues/{issue}?done=look-again"
    shown = studio.house.desk.issue(issue).issue
    assert (shown.state, shown.note) == (IssueState.DRAFT, "One more thing.")


def test_approving_what_changed_meanwhile_asks_to_look_again(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        form = form_of(visitor, issue)
        studio.house.desk.edit_issue(issue, note="From another window.")
        form["note"] = "From another window."
        answer = visitor.post(f"/studio/issues/{issue}/approve", data=form)
        assert "look-again" in answer.headers["location"]
    assert studio.house.desk.issue(issue).issue.state is IssueState.DRAFT


def test_a_time_is_meant_in_the_newsletters_time_zone(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        form = form_of(visitor, issue) | {"go": "later", "at": "2099-07-01T08:30"}
        visitor.post(f"/studio/issues/{issue}/approve", data=form)
    send_at = studio.house.desk.issue(issue).issue.send_at
    assert send_at is not None
    assert send_at.isoformat() == "2099-07-01T06:30:00+00:00"


@pytest.mark.parametrize("at", ["", "soon", "2099-99-01T08:30", "9999-12-31T23:59", "0001-01-01T00:00"])
def test_later_without_a_time_says_so_and_approves_nothing(studio: Studio, at: str) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        form = form_of(visitor, issue) | {"go": "later", "at": at}
        answer = visitor.post(f"/studio/issues/{issue}/approve", data=form)
    assert "Choose a date and a time." in answer.text
    assert studio.house.desk.issue(issue).issue.state is IssueState.DRAFT


def test_what_blocks_stands_in_the_checklist_and_the_button_is_off(bare: Studio) -> None:
    issue = bare.draft()
    with bare.visitor() as visitor:
        text = visitor.get(f"/studio/issues/{issue}").text
        assert "There is no postal address." in text
        assert 'value="now" disabled>Approve and send' in text
        answer = visitor.post(f"/studio/issues/{issue}/approve", data=form_of(visitor, issue))
        assert answer.status_code == 409
    assert bare.house.desk.issue(issue).issue.state is IssueState.DRAFT


def test_an_issue_keeps_at_least_one_post(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        form = form_of(visitor, issue) | {"include": []}
        answer = visitor.post(f"/studio/issues/{issue}/edit", data=form)
    assert answer.status_code == 400
    assert "at least one post" in answer.text


def test_an_approval_can_be_taken_back(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        visitor.post(f"/studio/issues/{issue}/approve", data=form_of(visitor, issue))
        visitor.post(f"/studio/issues/{issue}/unapprove")
    assert studio.house.desk.issue(issue).issue.state is IssueState.DRAFT


def test_a_cancelled_issue_is_shown_but_offers_nothing(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        answer = visitor.post(f"/studio/issues/{issue}/cancel")
        assert answer.headers["location"].endswith("?done=cancelled-draft")
        text = visitor.get(f"/studio/issues/{issue}").text
    assert "Cancelled" in text
    assert "Approve and send" not in text and "Send test" not in text


def test_a_test_goes_to_the_author_and_counts_nowhere(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        assert 'value="marian@notebook.example"' in visitor.get(f"/studio/issues/{issue}").text
        answer = visitor.post(f"/studio/issues/{issue}/test", data={"to": "marian@notebook.example"})
        assert answer.headers["location"].endswith("?done=test")
        wrong = visitor.post(f"/studio/issues/{issue}/test", data={"to": "not an address"})
        assert wrong.status_code == 400
    assert studio.house.desk.receipt(issue).receipt.audience == 0


def test_a_test_that_was_not_handed_over_is_told_as_such(studio: Studio) -> None:
    issue = studio.draft()
    desk = studio.house.desk
    replies = {"full@notebook.example": "452 4.2.2 Mailbox full", "gone@notebook.example": "550 5.1.1 Nobody"}
    with SmtpSink(refuse=replies.get) as sink, studio.visitor() as visitor:
        desk.set_setting("SMTP_URL", sink.url)
        desk.set_setting("TRANSPORT", "smtp")
        gone = visitor.post(f"/studio/issues/{issue}/test", data={"to": "gone@notebook.example"})
        assert gone.status_code == 400
        field = gone.text.split('id="to"')[1].split("</form>")[0]
        assert "The test was not sent: " in field and 'value="gone@notebook.example"' in field
        full = visitor.post(f"/studio/issues/{issue}/test", data={"to": "full@notebook.example"})
        assert full.headers["location"].endswith("?done=test-waits")
        assert "The test waits" in visitor.get(full.headers["location"]).text
    with studio.visitor() as visitor:  # nobody listens there any more
        nowhere = visitor.post(f"/studio/issues/{issue}/test", data={"to": "ann@notebook.example"})
        assert nowhere.status_code == 400
        assert 'id="to-wrong"' in nowhere.text


def test_looking_changes_nothing(studio: Studio) -> None:
    issue = studio.draft()
    before = studio.house.desk.issue(issue)
    with studio.visitor() as visitor:
        for path in (
            "",
            "/preview",
            "/edit",
            "/approve",
            "/test",
            "/cancel",
            "/unapprove",
            "/stop",
            "/pause",
        ):
            visitor.get(f"/studio/issues/{issue}{path}")
    assert studio.house.desk.issue(issue) == before


def test_choosing_beginnings_shortens_the_email_and_choosing_all_brings_it_back(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        whole = len(visitor.get(f"/studio/issues/{issue}/preview").text)
        visitor.post(f"/studio/issues/{issue}/edit", data=form_of(visitor, issue) | {"shows": "beginnings"})
        assert 'value="beginnings" checked' in visitor.get(f"/studio/issues/{issue}").text
        short = visitor.get(f"/studio/issues/{issue}/preview").text
        assert len(short) < whole
        assert "Continue reading: Low-Dose Naltrexone (LDN)" in short
        visitor.post(f"/studio/issues/{issue}/edit", data=form_of(visitor, issue) | {"shows": "whole"})
        assert len(visitor.get(f"/studio/issues/{issue}/preview").text) == whole


def test_choosing_what_holds_already_changes_nothing(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        visitor.post(f"/studio/issues/{issue}/edit", data=form_of(visitor, issue) | {"shows": "whole"})
    assert studio.house.desk.issue(issue).issue.excerpts is None


def test_an_email_that_would_be_cut_off_is_mended_with_one_button(studio: Studio) -> None:
    issue = studio.draft()
    long = "<p>One of very many words.</p>" * 3_000
    with studio.house.store.begin() as unit:
        post = studio.house.desk.issue(issue).posts[0]
        unit.posts.replace_text(post.id, long, datetime(2026, 11, 20, tzinfo=UTC))
    studio.house.turn([Step.COMPOSE])
    with studio.visitor() as visitor:
        assert "Show beginnings only" in visitor.get(f"/studio/issues/{issue}").text
        visitor.post(f"/studio/issues/{issue}/edit", data=form_of(visitor, issue) | {"shorten": "1"})
        assert "Show beginnings only" not in visitor.get(f"/studio/issues/{issue}").text
    assert studio.house.desk.issue(issue).checklist.blocking == ()


def test_the_email_is_looked_at_light_dark_and_inverted(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        looks = {
            dark: visitor.get(f"/studio/issues/{issue}/preview?dark={dark}").text
            for dark in ("", "1", "forced")
        }
        page = visitor.get(f"/studio/issues/{issue}?dark=forced").text
    assert len(set(looks.values())) == 3
    assert "invert(" in looks["forced"]
    assert 'id="approximate">An approximation' in page
    assert f"/studio/issues/{issue}/preview?view=desktop&amp;dark=forced" in page


def test_pictures_stay_off_in_the_dark(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        shown = visitor.get(f"/studio/issues/{issue}/preview?view=pictures-off&dark=1").text
    assert "@media all" in shown
    assert 'src="http' not in shown


def test_the_email_is_looked_at_as_one_subscriber_without_their_address_in_the_address_bar(
    studio: Studio,
) -> None:
    issue = studio.draft()
    ines = studio.house.desk.add_subscriber("ines@example.org", name="Ines").subscriber
    assert ines is not None
    with studio.visitor() as visitor:
        answer = visitor.post(f"/studio/issues/{issue}/as", data={"address": "Ines@example.org", "dark": "1"})
        assert answer.headers["location"] == f"/studio/issues/{issue}?dark=1&as={ines.id}"
        page = visitor.get(answer.headers["location"]).text
        assert f"preview?view=desktop&amp;dark=1&amp;as={ines.id}" in page
        theirs = visitor.get(f"/studio/issues/{issue}/preview?as={ines.id}").text
        assert "/u/" in theirs and "/u/" not in visitor.get(f"/studio/issues/{issue}/preview").text
        source = visitor.get(f"/studio/issues/{issue}/preview?view=source&as={ines.id}").text
        assert "To: ines@example.org" in source
        unknown = visitor.post(f"/studio/issues/{issue}/as", data={"address": "nobody@example.org"})
        assert unknown.status_code == 400 and "Nobody with this address is on the list." in unknown.text
        assert 'value="nobody@example.org"' in unknown.text and "preview?view=desktop" in unknown.text
        no_address = visitor.post(f"/studio/issues/{issue}/as", data={"address": "nobody"})
        assert no_address.status_code == 400 and 'id="reader-wrong"' in no_address.text


def test_the_frame_says_why_a_subscriber_would_get_nothing(studio: Studio) -> None:
    issue = studio.draft()
    studio.house.desk.add_subscriber("ines@example.org")
    with studio.house.store.begin() as unit:
        (topics,) = unit.issue_posts.topics(issue).values()
        now = datetime(2026, 11, 20, tzinfo=UTC)
        unit.subscribers.choose(1, now, cadence=None, topics_off=topics, paused_until=None)
    with studio.visitor() as visitor:
        shown = visitor.get(f"/studio/issues/{issue}/preview?as=1").text
    assert "They want none of these topics." in shown


def test_asking_every_link_says_in_the_checklist_what_came_back(studio: Studio) -> None:
    issue = studio.draft()
    lost = f"{studio.blog.url}/nowhere.html"
    with studio.house.store.begin() as unit:  # nothing in it leads off this machine
        post = studio.house.desk.issue(issue).posts[0]
        text = f'<p>See <a href="{lost}">this</a>.</p>'
        unit.posts.replace_text(post.id, text, datetime(2026, 11, 20, tzinfo=UTC))
    studio.house.turn([Step.COMPOSE])
    with studio.visitor() as visitor:
        assert "links do not open" not in visitor.get(f"/studio/issues/{issue}").text
        answer = visitor.post(f"/studio/issues/{issue}/links")
        assert answer.headers["location"] == f"/studio/issues/{issue}?done=links"
        page = visitor.get(answer.headers["location"]).text
    assert "links do not open" in page
    assert f"{lost} (answers 404)" in page
    assert studio.house.desk.issue(issue).checklist.blocking == ()


def test_a_subject_template_names_the_drafts_whose_subject_nobody_wrote(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        look = {"THEME": "letter", "SUBJECT": "{{ post.title", "PREHEADER": "By {{ post.author }}"}
        wrong = visitor.post("/studio/settings/look", data=look)
        assert "cannot be used: it is no template" in html.unescape(wrong.text)
        look["SUBJECT"] = "New: {{ post.title }}"
        assert visitor.post("/studio/settings/look", data=look).status_code == 303
        shown = studio.house.desk.issue(issue).issue
        assert shown.subject == "New: Low-Dose Naltrexone (LDN)"
        assert shown.preheader == "By Marian Holt"
        studio.house.desk.edit_issue(issue, subject="Mine")
        visitor.post("/studio/settings/look", data=look | {"SUBJECT": "Other: {{ post.title }}"})
    assert studio.house.desk.issue(issue).issue.subject == "Mine"


def test_after_an_approval_the_page_says_what_is_so(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        form = form_of(visitor, issue)
        now = visitor.post(f"/studio/issues/{issue}/approve", data=form).headers["location"]
        assert "Approved. It is being sent." in visitor.get(now).text
        studio.house.desk.unapprove_issue(issue)
        form = {**form_of(visitor, issue), "go": "later", "at": "2999-05-04T08:00"}
        later = visitor.post(f"/studio/issues/{issue}/approve", data=form).headers["location"]
        assert "Sending starts by itself when its time comes" in visitor.get(later).text


def test_stopping_what_is_being_sent_says_that_it_is_paused(studio: Studio) -> None:
    studio.house.desk.add_subscriber("ann@example.org")
    issue = studio.draft()
    studio.house.desk.approve_issue(issue)
    studio.house.turn([Step.START])
    with studio.visitor() as visitor:
        answer = visitor.post(f"/studio/issues/{issue}/stop")
    assert studio.house.desk.issue(issue).issue.state is IssueState.PAUSED
    assert answer.headers["location"].endswith("?done=paused")


def test_a_test_address_that_is_none_is_told_beside_its_field(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        answer = visitor.post(f"/studio/issues/{issue}/test", data={"to": "nobody"})
    assert answer.status_code == 400
    field = answer.text.split('id="to"')[1].split("</form>")[0]
    assert 'value="nobody"' in field and 'class="wrong-says" id="to-wrong"' in field


def test_for_whom_it_is_is_chosen_counted_and_approved_only_as_seen(studio: Studio) -> None:
    issue = studio.draft()
    desk = studio.house.desk
    for who in ("ann@example.org", "ben@example.net"):
        desk.add_subscriber(who)
    with studio.visitor() as visitor:
        here = f"/studio/issues/{issue}"
        assert "For whom" not in visitor.get(here).text
        segment = desk.save_segment("The <few>", Filter(domains=("example.org",))).segment
        assert "2 subscribers now." in visitor.get(here).text

        form = form_of(visitor, issue) | {"segment": str(segment.id)}
        early = visitor.post(f"{here}/approve", data=form)
        assert early.headers["location"] == f"{here}?done=look-again-whom"
        assert desk.issue(issue).issue.state is IssueState.DRAFT
        text = visitor.get(here).text
        assert "1 subscriber now." in text and "The &lt;few&gt;" in text

        visitor.post(f"{here}/edit", data=form_of(visitor, issue) | {"segment": "0"})
        assert desk.issue(issue).issue.segment == ""
        visitor.post(f"{here}/edit", data=form)
        visitor.post(f"{here}/edit", data=form_of(visitor, issue))
        assert desk.issue(issue).issue.segment == "The <few>"
        gone = visitor.post(f"{here}/edit", data=form | {"segment": "99"})
        assert gone.status_code == 400 and "not there any more" in gone.text
        visitor.post(f"{here}/approve", data=form_of(visitor, issue) | {"segment": str(segment.id)})
    frozen = desk.issue(issue).issue
    assert (frozen.state, frozen.segment_filter) == (IssueState.APPROVED, '{"domains":["example.org"]}')
