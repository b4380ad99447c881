"""Step 6: what providers and mailboxes tell us later, and the receipt."""
