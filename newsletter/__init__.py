"""A blog's feed becomes a newsletter: noticed, composed, approved, delivered, accounted for.

Start reading at :mod:`newsletter.pipeline`.
"""

__version__ = "0.1.0"
