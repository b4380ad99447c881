"""Alembic's environment: always a connection that :mod:`newsletter.store.migrate` opened."""

from alembic import context

from newsletter.store.tables import metadata
from subscribers.tables import metadata as subscribers_metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=[metadata, subscribers_metadata],
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
