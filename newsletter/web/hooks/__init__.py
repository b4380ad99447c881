"""Where providers tell us later what became of our mail."""
