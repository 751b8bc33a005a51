"""whether a session failed because its model cannot be had"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("training_sessions", sa.Column("error_kind", sa.String(16), nullable=True))


def downgrade() -> None:
    op.drop_column("training_sessions", "error_kind")
