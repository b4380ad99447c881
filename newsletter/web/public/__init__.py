"""What a subscriber sees: sign up, confirm, choose, leave. No login, no cookie, no script needed.

Nothing here tells whether an address is on the list, and no page shows more of one than a mask: links get
forwarded with the mail they stand in.
"""

from newsletter.web.public.front import Front as Front
from newsletter.web.public.router import OPEN_PREFIXES as OPEN_PREFIXES
from newsletter.web.public.router import public_router as public_router
