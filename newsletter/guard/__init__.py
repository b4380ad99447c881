"""The only doors to the outside: every outgoing request, every piece of foreign HTML, every mail header.

``http``      fetches, and never reaches a private address
``html``      sanitises, and never lets a script through
``headers``   writes mail headers, and never lets a value become a second header
``lines``     fills an author's one-line templates, and never lets one call or grow

Nothing here knows about feeds, posts or subscribers.
"""
