"""Which reader is to read which scan."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "assignments",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("scan_sha256", sa.String(64), nullable=False),
        sa.Column("assignee", sa.String(80), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("an_assignee_once", "assignments", ["scan_sha256", "assignee"], unique=True)
