"""The managed list: a bounded context of its own, with its own tables.

Imports nothing of ``newsletter``. Its functions take an open connection and never commit, so that one
transaction can span both packages.
"""
