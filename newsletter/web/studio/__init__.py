"""The author's pages: Today, Issues, Subscribers, Settings."""
