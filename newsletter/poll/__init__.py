"""Step 1: be polite to a feed, and turn its bytes into Entries."""
