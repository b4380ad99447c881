"""The first schema."""

from alembic import op

from newsletter.store.tables import metadata
from subscribers.tables import metadata as subscribers_metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    metadata.create_all(op.get_bind())
    subscribers_metadata.create_all(op.get_bind())
