"""what is done to files because a person asked for it is logged, and can be undone"""

import sqlalchemy as sa
from alembic import op

import app.db.types

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BEGUN = sa.text("state = 'begun'")
TRASHED = sa.text("kind = 'trash' AND state = 'done'")


def upgrade() -> None:
    op.create_table(
        "file_acts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("act", sa.String(length=32), nullable=False),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("source", app.db.types.PathText(), nullable=False),
        sa.Column("target", app.db.types.PathText(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("at", app.db.types.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_file_acts_act", "file_acts", ["act"])
    op.create_index(
        "ix_file_acts_begun",
        "file_acts",
        ["machine"],
        sqlite_where=BEGUN,
        postgresql_where=BEGUN,
    )
    op.create_index(
        "ix_file_acts_trashed",
        "file_acts",
        ["asset_id"],
        sqlite_where=TRASHED,
        postgresql_where=TRASHED,
    )


def downgrade() -> None:
    op.drop_table("file_acts")
