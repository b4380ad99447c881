"""The tables and everything that reads or writes them. One module per aggregate.

Functions and classes here take an open connection and never commit: :class:`~newsletter.store.unit.Store`
opens the transaction.
"""
