"""Today, Issues, Feeds, Subscribers and the receipt, as the author meets them."""

from __future__ import annotations

import pytest

from newsletter.model.feed import FeedState
from newsletter.model.issue import IssueState
from newsletter.model.post import PostState
from newsletter.pipeline import Step
from subscribers.imports import How
from subscribers.model import SubscriberState
from tests.web.conftest import Studio


def send(studio: Studio, *addresses: str) -> int:
    """The id of an issue that was sent into the outbox."""
    for address in addresses:
        studio.house.desk.add_subscriber(address)
    issue = studio.draft()
    studio.house.desk.approve_issue(issue)
    studio.house.desk.send_issue(issue)
    return issue


def test_today_shows_the_waiting_draft(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        text = visitor.get("/studio/").text
    assert "A draft waits for you" in text
    assert f'href="/studio/issues/{issue}"' in text
    assert "Nothing needs you" not in text


def test_today_says_when_the_next_look_is_if_nothing_needs_the_author(studio: Studio) -> None:
    issue = studio.draft()
    studio.house.desk.cancel_issue(issue)
    with studio.visitor() as visitor:
        text = visitor.get("/studio/").text
    assert "Nothing needs you." in text
    assert "The next look at the blog is" in text


def test_a_held_post_is_released_or_skipped_on_today(studio: Studio) -> None:
    studio.house.desk.set_setting("MAX_AGE", "1 day")
    studio.house.desk.set_setting("FLOOD", "1")
    studio.draft()
    with studio.visitor() as visitor:
        old = [post for post in studio.house.desk.posts() if post.state is PostState.BASELINE]
        answer = visitor.post(f"/studio/posts/{old[0].id}/release")
        assert answer.headers["location"] == "/studio/?done=released-now"
        visitor.post(f"/studio/posts/{old[0].id}/skip")
    assert studio.house.desk.post(old[0].id).state is PostState.SKIPPED


def test_issues_can_be_filtered_by_state(studio: Studio) -> None:
    studio.draft()
    with studio.visitor() as visitor:
        assert "Low-Dose Naltrexone (LDN)" in visitor.get("/studio/issues").text
        assert "Low-Dose Naltrexone (LDN)" in visitor.get("/studio/issues?state=draft").text
        assert "Low-Dose Naltrexone (LDN)" not in visitor.get("/studio/issues?state=finished").text
        assert visitor.get("/studio/issues?state=nonsense").status_code == 400


def test_the_receipt_adds_up(studio: Studio) -> None:
    issue = send(studio, "ann@example.org", "bert@example.org", "carla@example.org")
    with studio.visitor() as visitor:
        text = visitor.get(f"/studio/issues/{issue}").text
        assert "Written into the outbox folder" in text
        assert text.count("<td>3</td>") == 2  # handed over, and all recipients
        assert "3 of 3" in visitor.get("/studio/issues").text
    assert studio.house.desk.issue(issue).issue.state is IssueState.FINISHED


def test_who_was_left_out_is_named_by_a_masked_address_with_the_reason(studio: Studio) -> None:
    for address in ("ann@example.org", "bert@example.org"):
        studio.house.desk.add_subscriber(address)
    issue = studio.draft()
    studio.house.desk.approve_issue(issue)
    studio.house.turn([Step.START])
    with studio.house.store.begin() as unit:
        unit.deliveries.add(issue, {}, {2: "They left the list meanwhile."}, studio.house.tools.clock())
    with studio.visitor() as visitor:
        text = visitor.get(f"/studio/issues/{issue}").text
    assert "b•••@example.org" in text
    assert "bert@example.org" not in text
    assert "Left out" in text and "They left the list meanwhile." in text


def test_a_sent_issue_can_be_read_by_everybody_and_runs_nothing(studio: Studio) -> None:
    issue = send(studio, "ann@example.org")
    with studio.visitor(signed_in=False) as visitor:
        answer = visitor.get(f"/i/{issue}")
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"].startswith("sandbox ")
        assert "ann@example.org" not in answer.text
        assert visitor.get("/i/99").status_code == 404


def test_an_unsent_issue_cannot_be_read_by_strangers(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor(signed_in=False) as visitor:
        assert visitor.get(f"/i/{issue}").status_code == 404


def test_an_issue_being_sent_is_paused_resumed_and_cancelled(studio: Studio) -> None:
    studio.house.desk.add_subscriber("ann@example.org")
    issue = studio.draft()
    studio.house.desk.approve_issue(issue)
    studio.house.turn([Step.START])
    with studio.visitor() as visitor:
        assert 'data-live="2000"' in visitor.get(f"/studio/issues/{issue}").text
        visitor.post(f"/studio/issues/{issue}/pause")
        assert studio.house.desk.issue(issue).issue.state is IssueState.PAUSED
        assert "Go on sending" in visitor.get(f"/studio/issues/{issue}").text
        visitor.post(f"/studio/issues/{issue}/resume")
        assert studio.house.desk.issue(issue).issue.state is IssueState.SENDING
        answer = visitor.post(f"/studio/issues/{issue}/cancel")
        assert answer.headers["location"].endswith("?done=cancelled")
    assert studio.house.desk.issue(issue).issue.state is IssueState.CANCELLED


@pytest.mark.parametrize(("choice", "status"), [("hold", 303), ("resend", 303), ("other", 400)])
def test_the_unknown_are_settled_by_choice(studio: Studio, choice: str, status: int) -> None:
    issue = send(studio, "ann@example.org")
    with studio.visitor() as visitor:
        answer = visitor.post(f"/studio/issues/{issue}/settle", data={"choice": choice})
    assert answer.status_code == status


def test_a_feeds_page_says_what_came_back_and_why_each_post_was_mailed_or_not(studio: Studio) -> None:
    studio.draft()
    feed = studio.house.desk.feeds()[0]
    with studio.visitor() as visitor:
        text = visitor.get(f"/studio/settings/feeds/{feed.id}").text
        assert "Already there" in text and "Ready" in text
        assert "offered as you asked" in text
        answer = visitor.post(f"/studio/settings/feeds/{feed.id}/poll")
        assert answer.headers["location"].endswith("?done=looked")
        assert "Nothing new" in visitor.get(f"/studio/settings/feeds/{feed.id}").text
        visitor.post(f"/studio/settings/feeds/{feed.id}/remove")
        assert feed.url not in visitor.get("/studio/settings/feeds").text


def test_a_feeds_page_names_the_issue_of_each_post_and_turns_full_text_on_and_off(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        page = visitor.get("/studio/settings/feeds/1").text
        assert f'waits for your approval in <a href="/studio/issues/{issue}">issue {issue}</a>' in page
        assert "as the feed gives them" in page
        visitor.post("/studio/settings/feeds/1/full-text", data={"wanted": "on"})
        assert studio.house.desk.feed(1).feed.full_text
        assert "completed from their pages" in visitor.get("/studio/settings/feeds/1").text
        visitor.post("/studio/settings/feeds/1/full-text", data={"wanted": "off"})
        assert not studio.house.desk.feed(1).feed.full_text


def test_a_feeds_page_offers_what_can_still_be_decided_and_calls_mailed_what_went_out(studio: Studio) -> None:
    issue = studio.draft()
    desk = studio.house.desk
    release, skip = (f'action="/studio/posts/1/{verb}"' for verb in ("release", "skip"))
    with studio.visitor() as visitor:
        carried = next(post.id for post in desk.posts() if post.state == "ready")
        page = visitor.get("/studio/settings/feeds/1").text
        assert f'action="/studio/posts/{carried}/skip"' in page, "it waits, and may be left out"
        assert ">Mailed<" not in page
        assert release in page and skip not in page, "what was already there can be mailed after all"
        desk.add_subscriber("ann@example.org")
        desk.approve_issue(issue)
        desk.send_issue(issue)
        page = visitor.get("/studio/settings/feeds/1").text
        assert ">Mailed<" in page and f'mailed in <a href="/studio/issues/{issue}"' in page
        assert f'action="/studio/posts/{carried}/skip"' not in page
        assert "Read <span" in page and "3 posts" in page, "the log says what came back"


def test_a_feed_that_has_ended_can_be_watched_again_from_its_page(studio: Studio) -> None:
    studio.draft()
    desk = studio.house.desk
    with studio.house.store.begin() as unit:
        unit.feeds.set_state(1, FeedState.PAUSED, studio.house.tools.clock())
    with studio.visitor() as visitor:
        page = visitor.get("/studio/settings/feeds/1").text
        assert "no longer looked at" in page and "Watch it again" in page and "Look now" not in page
        visitor.post("/studio/settings/feeds/add", data={"url": desk.feed(1).feed.url})
    assert desk.feed(1).feed.state is FeedState.ACTIVE


def test_feeds_behind_an_address_are_shown_before_one_is_added(studio: Studio) -> None:
    with studio.visitor() as visitor:
        found = visitor.post("/studio/settings/feeds/find", data={"url": studio.blog.url}).text
        assert "The Patient Notebook" in found and "Watch this one" in found
        assert not studio.house.desk.feeds()
        answer = visitor.post("/studio/settings/feeds/add", data={"url": studio.blog.feed_url})
        assert answer.headers["location"] == "/studio/settings/feeds/1?done=feed-added"


@pytest.mark.parametrize("typed", ["http://[", "a]b", "http://xn--/"])
def test_what_is_no_address_of_a_blog_is_told(studio: Studio, typed: str) -> None:
    with studio.visitor() as visitor:
        for door in ("/studio/settings/feeds/find", "/studio/setup"):
            answer = visitor.post(door, data={"url": typed})
            assert answer.status_code == 400
            assert "not a web address" in answer.text


def test_a_subscriber_is_added_found_unsubscribed_and_never_mailed_again(studio: Studio) -> None:
    with studio.visitor() as visitor:
        answer = visitor.post("/studio/subscribers/add", data={"address": "ann@example.org", "name": "Ann"})
        assert answer.headers["location"] == "/studio/subscribers?done=added"
        again = visitor.post("/studio/subscribers/add", data={"address": "Ann@example.org"})
        assert again.headers["location"] == "/studio/subscribers?done=already"
        assert "ann@example.org" in visitor.get("/studio/subscribers?text=ann").text
        assert "ann@example.org" not in visitor.get("/studio/subscribers?text=zoe").text
        assert "Proof of consent" in visitor.get("/studio/subscribers/1").text
        visitor.post("/studio/subscribers/1/unsubscribe")
        visitor.post("/studio/subscribers/1/suppress")
        assert "You decided so" in visitor.get("/studio/subscribers/1").text
    assert studio.house.desk.subscriber(1).subscriber.state is SubscriberState.UNSUBSCRIBED


def test_what_is_no_address_is_told_and_kept_in_the_field(studio: Studio) -> None:
    with studio.visitor() as visitor:
        answer = visitor.post("/studio/subscribers/add", data={"address": "ann at example"})
    assert answer.status_code == 400
    assert 'value="ann at example"' in answer.text


def test_pages_of_subscribers_follow_each_other_without_loss(studio: Studio) -> None:
    with studio.house.store.begin() as unit:
        for n in range(120):
            unit.subscribers.add(f"reader{n}@example.org", source="test", now=studio.house.tools.clock())
    found: list[str] = []
    path = "/studio/subscribers"
    with studio.visitor() as visitor:
        while path:
            text = visitor.get(path).text
            found += [piece.split("<")[0] for piece in text.split('class="stretch"')[1:]]
            rest = text.split('class="more"')
            path = rest[1].split('href="')[1].split('"')[0].replace("&amp;", "&") if len(rest) > 1 else ""
    assert len(found) == 120


def test_names_and_titles_are_never_markup(studio: Studio) -> None:
    nasty = "<script>alert(1)</script>"
    studio.house.desk.set_setting("TITLE", nasty)
    issue = studio.draft()
    studio.house.desk.edit_issue(issue, subject=nasty, preheader='"><img src=x onerror=alert(1)>')
    with studio.visitor() as visitor:
        for path in ("/studio/", "/studio/issues", f"/studio/issues/{issue}", "/studio/settings/newsletter"):
            text = visitor.get(path).text
            assert "<script>alert" not in text and "<img src=x" not in text, path


def test_strangers_at_the_front_door_are_led_to_the_sign_up_page(studio: Studio) -> None:
    with studio.visitor() as author, studio.visitor(signed_in=False) as stranger:
        assert author.get("/").headers["location"] == "/studio/"
        assert stranger.get("/").headers["location"] == "/subscribe"


def test_one_click_unsubscribe_needs_neither_cookie_nor_origin(studio: Studio) -> None:
    added = studio.house.desk.add_subscriber("ann@example.org")
    assert added.subscriber is not None
    link = studio.house.tools.links(studio.house.settings()).unsubscribe(added.subscriber.id)
    path = "/u/" + link.rpartition("/")[2]
    with studio.visitor(signed_in=False, headers={"Sec-Fetch-Site": "cross-site"}) as provider:
        assert provider.get(path).status_code == 200
        assert studio.house.desk.subscriber(1).subscriber.state is SubscriberState.ACTIVE
        assert provider.post(path, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert studio.house.desk.subscriber(1).subscriber.state is SubscriberState.UNSUBSCRIBED


def test_the_export_has_everybody(studio: Studio) -> None:
    for n in range(60):
        studio.house.desk.add_subscriber(f"reader{n}@example.org")
    with studio.visitor() as visitor:
        answer = visitor.post("/studio/subscribers/export")
    assert answer.headers["content-disposition"] == 'attachment; filename="subscribers.csv"'
    assert all(f"reader{n}@example.org" in answer.text for n in range(60))


def test_the_form_to_copy_leads_to_the_sign_up_page(studio: Studio) -> None:
    with studio.visitor() as visitor:
        text = visitor.get("/studio/subscribers/form").text
    assert "&lt;form action=&#34;http://localhost:8000/subscribe&#34;" in text
    assert "other people cannot reach yet" in text


def test_everything_is_checked_by_a_press(studio: Studio) -> None:
    with studio.visitor() as visitor:
        assert "Check everything" in visitor.get("/studio/settings").text
        assert "SQLite" in visitor.post("/studio/settings/check").text


def test_leaving_by_the_link_in_an_issue_counts_on_its_receipt(studio: Studio) -> None:
    issue = send(studio, "ann@example.org")
    link = studio.house.tools.links(studio.house.settings()).unsubscribe(1, issue)
    with studio.visitor(signed_in=False) as provider:
        answer = provider.post("/u/" + link.rpartition("/")[2], data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
    assert studio.house.desk.receipt(issue).receipt.unsubscribed == 1


@pytest.mark.parametrize(
    ("path", "signed_in"),
    [
        ("/i/999", False),
        ("/nowhere", False),
        ("/studio/issues/999", True),
        ("/studio/subscribers/999", True),
        ("/studio/settings/feeds/999", True),
        ("/studio/nowhere", True),
    ],
)
def test_a_page_that_is_not_there_names_no_command_and_no_menu_that_it_lacks(
    studio: Studio, path: str, signed_in: bool
) -> None:
    with studio.visitor(signed_in=signed_in) as visitor:
        answer = visitor.get(path)
    assert answer.status_code == 404
    assert "newsletter issues" not in answer.text and "newsletter subscribers" not in answer.text
    assert "See:" not in answer.text and "menu" not in answer.text
    assert ('aria-label="Studio"' in answer.text) is signed_in


@pytest.mark.parametrize("place", ["issues", "subscribers", "settings/feeds"])
def test_what_is_not_in_the_studio_leads_back_to_its_list(studio: Studio, place: str) -> None:
    with studio.visitor() as visitor:
        text = visitor.get(f"/studio/{place}/999").text
    assert f'<a class="button" href="/studio/{place}">' in text


@pytest.mark.parametrize("number", ["9223372036854775808", "99999999999999999999", "9" * 5000])
def test_an_id_that_no_database_knows_is_not_there_instead_of_an_error(studio: Studio, number: str) -> None:
    issue = studio.draft()
    with studio.visitor() as visitor:
        for path in ("/i/{}", "/studio/issues/{}", "/studio/subscribers/{}", "/studio/settings/feeds/{}"):
            assert visitor.get(path.format(number)).status_code == 404
        for path in ("/studio/issues?after={}", "/studio/subscribers?after={}"):
            assert visitor.get(path.format(number)).status_code == 400
        assert visitor.get(f"/studio/issues/{issue}?as={number}").status_code == 200
        assert visitor.post(f"/studio/posts/{number}/release").status_code == 404
        assert visitor.get(f"/hooks/websub/{number}").status_code == 404


def test_the_checks_on_the_settings_page_name_no_command(bare: Studio) -> None:
    with bare.visitor() as visitor:
        text = visitor.post("/studio/settings/check").text
    assert "newsletter settings set" not in text and "newsletter feeds" not in text
    assert 'href="/studio/settings/newsletter">Set it here</a>' in text


def test_a_login_link_that_was_used_leads_in_another_way_and_shows_no_menu(studio: Studio) -> None:
    link = f"/studio/login/{studio.house.desk.doors.new_login()}"
    with studio.visitor(signed_in=False) as first, studio.visitor(signed_in=False) as second:
        assert first.post(link).status_code == 303
        again = second.post(link)
    assert again.status_code == 400
    assert "This link was used already or is too old." in again.text
    assert "newsletter login" in again.text  # the one way in while no password is set
    assert 'aria-label="Studio"' not in again.text


def test_a_suppression_of_the_authors_own_is_lifted_on_the_persons_page(studio: Studio) -> None:
    ann = studio.house.desk.add_subscriber("ann@example.org").subscriber
    assert ann is not None
    page = f"/studio/subscribers/{ann.id}"
    with studio.visitor() as visitor:
        assert "/unsuppress" not in visitor.get(page).text
        visitor.post(f"{page}/suppress")
        assert f'action="{page}/unsuppress"' in visitor.get(page).text
        assert visitor.post(f"{page}/unsuppress").headers["location"] == f"{page}?done=lifted"
    assert studio.house.desk.subscriber(ann.id).subscriber.state is SubscriberState.ACTIVE


def test_after_releasing_a_post_today_says_that_its_draft_is_being_made(studio: Studio) -> None:
    studio.house.desk.cancel_issue(studio.draft())
    old = next(post for post in studio.house.desk.posts() if post.state is PostState.BASELINE)
    with studio.visitor() as visitor:
        text = visitor.get(visitor.post(f"/studio/posts/{old.id}/release").headers["location"]).text
    assert "Its draft is being made" in text
    assert "Nothing needs you" not in text


def test_an_address_that_cannot_be_added_is_told_beside_its_field(studio: Studio) -> None:
    with studio.visitor() as visitor:
        answer = visitor.post("/studio/subscribers/add", data={"address": "nobody"})
    assert answer.status_code == 400
    assert (
        'class="wrong-says" id="address-wrong"' in answer.text.split('name="address"')[1].split("</form>")[0]
    )


def test_the_growth_of_the_list_is_drawn_on_its_whole_page_alone(studio: Studio) -> None:
    with studio.visitor() as visitor:
        assert "<svg" not in visitor.get("/studio/subscribers").text.split("<main")[1]
        rows = "email,created_at\n" + "".join(f"p{n}@example.org,2025-{n + 1:02}-03\n" for n in range(12))
        studio.house.desk.import_subscribers(
            rows.encode(), source="l.csv", dry_run=False, how=How(ask_per_day=0)
        )
        text = visitor.get("/studio/subscribers").text
        assert "<title>Active subscribers</title>" in text and "<title>Joined and left</title>" in text
        assert "12 joined and 0 left" in text and "The same as numbers" in text
        assert "Joined and left" not in visitor.get("/studio/subscribers?text=p").text
