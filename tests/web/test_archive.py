"""What everybody may read of the issues that were sent."""

from __future__ import annotations

from tests.web.conftest import Studio


def test_the_feeds_hold_what_was_sent_and_no_draft(studio: Studio) -> None:
    issue = studio.draft()
    with studio.visitor(signed_in=False) as visitor:
        assert visitor.get("/feed.json").json()["items"] == []
        studio.house.desk.add_subscriber("ines@example.org")
        studio.house.desk.approve_issue(issue)
        studio.house.desk.send_issue(issue)
        (item,) = visitor.get("/feed.json").json()["items"]
        atom = visitor.get("/feed.xml")
        assert item["title"] == "Low-Dose Naltrexone (LDN)"
        assert item["url"].endswith(f"/i/{issue}")
        assert visitor.get(f"/i/{issue}").status_code == 200
    assert atom.headers["content-type"].startswith("application/atom+xml")
    assert item["url"] in atom.text
    assert "ines@example.org" not in atom.text
