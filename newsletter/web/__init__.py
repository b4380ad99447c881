"""What a browser sees: the studio (author), the public pages (subscribers), the hooks (providers).

An edge: it translates problems into pages and status codes, and asks the desk for everything else.
"""
