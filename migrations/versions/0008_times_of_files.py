"""searches by date know the times of files, too: what is stored beside vectors is written anew"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        sa.text(
            "UPDATE asset_vectors SET payload_stale = :stale "
            "WHERE asset_id IN (SELECT id FROM image_assets WHERE taken_at IS NULL)"
        ).bindparams(stale=True)
    )
    op.drop_index("ix_image_assets_taken_at", table_name="image_assets")


def downgrade() -> None:
    op.create_index("ix_image_assets_taken_at", "image_assets", ["taken_at"])
