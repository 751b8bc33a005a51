"""how long reading takes; indexes on the few rows that they are for"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "training_sessions",
        sa.Column("read_ms", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.drop_index("ix_training_jobs_lease", "training_jobs")
    op.create_index(
        "ix_training_jobs_running",
        "training_jobs",
        ["lease_token"],
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_index(
        "ix_training_jobs_failed",
        "training_jobs",
        ["finished_at", "id", "session_id", "error_kind", "status"],
        sqlite_where=sa.text("status = 'failed'"),
        postgresql_where=sa.text("status = 'failed'"),
    )


def downgrade() -> None:
    op.drop_index("ix_training_jobs_failed", "training_jobs")
    op.drop_index("ix_training_jobs_running", "training_jobs")
    op.create_index("ix_training_jobs_lease", "training_jobs", ["status", "lease_expires_at"])
    op.drop_column("training_sessions", "read_ms")
