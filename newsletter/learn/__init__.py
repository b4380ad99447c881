"""Step 6: what providers and mailboxes tell us later.

sendgrid    its webhook, verified and parsed
dsn         bounces and complaints that come as mail
mailbox     where those are fetched from
merge       what an event means, in whatever order events come
apply       each event and its effect in one transaction
"""

from newsletter.learn.apply import apply_events, take_in

__all__ = ["apply_events", "take_in"]
