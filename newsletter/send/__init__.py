"""Step 5: from an approved issue to an account of every subscriber.

audience    who is drawn, and which posts each one gets
deliver     claims, hands over, records, until something is used up
attempt     one hand-over: what is durable before what
notices     messages outside any issue, ahead of all others
control     pause, resume, cancel, retry, settle, recover
retry       what a provider's refusal means
guards      when sending stops by itself
suppressions whom the provider already never mails
splice      a message per recipient from segments encoded once
transports/ the adapters; only ``wiring`` chooses among them
"""

from newsletter.send.audience import expand_audience, start_due, start_issue
from newsletter.send.control import (
    cancel_issue,
    pause_issue,
    recover,
    resume_issue,
    retry_failed,
    settle_unknown,
)
from newsletter.send.deliver import Delivered, deliver_issue
from newsletter.send.notices import Rendered, send_notices

__all__ = [
    "Delivered",
    "Rendered",
    "cancel_issue",
    "deliver_issue",
    "expand_audience",
    "pause_issue",
    "recover",
    "resume_issue",
    "retry_failed",
    "send_notices",
    "settle_unknown",
    "start_due",
    "start_issue",
]
