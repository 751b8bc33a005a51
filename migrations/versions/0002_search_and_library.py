"""search and library: folders, stale payloads, near duplicates, how models are loaded"""

import os

import sqlalchemy as sa
from alembic import op

import app.db.types
from app.db.types import path_to_text, text_to_path

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROWS_AT_ONCE = 10_000


def upgrade() -> None:
    op.create_table(
        "near_duplicates",
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["asset_id"], ["image_assets.id"]),
        sa.ForeignKeyConstraint(["model_id"], ["embedding_models.id"]),
        sa.PrimaryKeyConstraint("model_id", "asset_id"),
    )
    op.create_index("ix_near_duplicates_group_id", "near_duplicates", ["group_id"])
    op.add_column("training_sessions", sa.Column("last_update", sa.JSON(), nullable=True))
    op.add_column(
        "asset_vectors",
        sa.Column("payload_stale", sa.Boolean(), nullable=False, server_default=sa.true()),
    )  # true: payloads of before know no sessions
    op.create_index(
        "ix_asset_vectors_stale",
        "asset_vectors",
        ["model_id", "asset_id"],
        sqlite_where=sa.text("payload_stale = 1"),
        postgresql_where=sa.text("payload_stale"),
    )
    _upgrade_models()
    _upgrade_assets()


def _upgrade_models() -> None:
    for column in (
        sa.Column("spec", sa.Text(), nullable=False, server_default=""),
        sa.Column("pictures_per_second", sa.Double(), nullable=True),
        sa.Column("measured_on", sa.String(length=64), nullable=True),
    ):
        op.add_column("embedding_models", column)
    op.execute(
        "UPDATE embedding_models SET spec = coalesce((SELECT max(model) FROM training_sessions"
        " WHERE training_sessions.model_id = embedding_models.id), name)"
    )


def _upgrade_assets() -> None:
    op.add_column(
        "image_assets",
        sa.Column("folder", app.db.types.PathText(), nullable=False, server_default=""),
    )
    assets = sa.table(
        "image_assets",
        sa.column("id", sa.Integer()),
        sa.column("path", sa.Text()),
        sa.column("folder", sa.Text()),
    )
    connection = op.get_bind()
    after = 0
    while rows := connection.execute(
        sa.select(assets.c.id, assets.c.path)
        .where(assets.c.id > after)
        .order_by(assets.c.id)
        .limit(ROWS_AT_ONCE)
    ).all():
        connection.execute(
            sa.update(assets)
            .where(assets.c.id == sa.bindparam("asset"))
            .values(folder=sa.bindparam("place")),
            [
                {"asset": row.id, "place": path_to_text(os.path.dirname(text_to_path(row.path)))}
                for row in rows
            ],
        )
        after = rows[-1].id
    for column in ("folder", "taken_at"):
        op.create_index(f"ix_image_assets_{column}", "image_assets", [column])
    op.drop_index("ix_image_assets_sha256", "image_assets")
    for column in ("sha256", "missing_since"):
        known = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"ix_image_assets_{column}",
            "image_assets",
            [column],
            sqlite_where=known,
            postgresql_where=known,
        )
    op.create_index(
        "ix_image_assets_excluded",
        "image_assets",
        ["id"],
        sqlite_where=sa.text("excluded = 1"),
        postgresql_where=sa.text("excluded"),
    )


def downgrade() -> None:
    op.drop_index("ix_image_assets_excluded", "image_assets")
    for column in ("folder", "taken_at", "missing_since", "sha256"):
        op.drop_index(f"ix_image_assets_{column}", "image_assets")
    op.create_index("ix_image_assets_sha256", "image_assets", ["sha256"])
    op.drop_column("image_assets", "folder")
    for column in ("spec", "pictures_per_second", "measured_on"):
        op.drop_column("embedding_models", column)
    op.drop_index("ix_asset_vectors_stale", "asset_vectors")
    op.drop_column("asset_vectors", "payload_stale")
    op.drop_column("training_sessions", "last_update")
    op.drop_index("ix_near_duplicates_group_id", "near_duplicates")
    op.drop_table("near_duplicates")
