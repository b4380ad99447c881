"""What the product's words mean: frozen dataclasses and their transitions.

Standard library only (and :mod:`subscribers.model`, which is standard library only too).
Nothing here reads a clock, a file, the network or a database.
"""
