"""What the demonstration needs of the outside world, on loopback: a blog to read, a mailbox to fill."""
