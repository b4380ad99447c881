"""The sign-up form to copy into a blog: plain HTML, no script, no style but what keeps it in one line."""

from __future__ import annotations

from markupsafe import Markup

from newsletter.model.publication import Newsletter
from newsletter.web.public.imprint import contact, postal, sender
from newsletter.web.public.joining import TRAP
from newsletter.web.public.pages import saying
from subscribers.model import Cadence

_FORM = Markup(
    '<form action="{base}/subscribe" method="post" target="_blank" accept-charset="utf-8">\n'
    "  <p><strong>{title}</strong></p>\n"
    '  <p><label>{label}<br><input type="email" name="address" autocomplete="email" required></label>\n'
    '  <button type="submit">{button}</button></p>\n'
    '  <p style="display:none" aria-hidden="true"><input type="text" name="{trap}" tabindex="-1" '
    'autocomplete="off"></p>\n'
    '  <input type="hidden" name="source" value="embed">\n'
    "  <p><small>{purpose} {promise}<br>\n"
    '  {imprint} <a href="{base}/privacy">{privacy}</a></small></p>\n'
    "</form>\n"
)


def embed_form(newsletter: Newsletter) -> str:
    """HTML for any page that allows a form (Blogger: Layout, Add a Gadget, HTML/JavaScript).

    Says who sends what, from where, and how to leave, as the hosted page does. Every value is escaped.
    Works only where ``base_url`` is an address that visitors can reach.
    """
    say = saying(newsletter)
    reach = contact(newsletter)
    imprint = [
        say("join.sender", sender=sender(newsletter)),
        f"{postal(newsletter)}." if newsletter.postal_address.strip() else "",
        say("join.contact", contact=reach) if reach else "",
    ]
    return str(
        _FORM.format(
            base=newsletter.base_url,
            title=say("join.title"),
            label=say("join.label"),
            button=say("join.button"),
            purpose=say("join.text") if newsletter.cadence is Cadence.EACH else say("join.text_other"),
            promise=say("join.promise"),
            imprint=" ".join(filter(None, imprint)),
            privacy=say("join.privacy"),
            trap=TRAP,
        )
    )
