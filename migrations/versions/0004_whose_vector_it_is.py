"""which content a stored vector is of, and which store of it counts; ids that never come again;
why a session waits

A picture of the same content as another one was given that one's vector, and before this revision
it could be given the vector of what that file had become meanwhile. Where no picture that was
looked at itself agrees with such a vector, the picture is indexed again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NUMBERED = ("image_assets", "training_sessions", "training_jobs", "embedding_models")
REUSED = "Same content as a picture that was indexed before."

# the last successful evidence of each vector
_LATEST = """
CREATE TEMPORARY TABLE latest_evidence AS
SELECT evidence.asset_id, models.id AS model_id, max(evidence.id) AS evidence_id
FROM training_evidence AS evidence
JOIN embedding_models AS models
  ON models.name = evidence.model_name
 AND models.version = evidence.model_version
 AND models.weights_digest = evidence.weights_digest
WHERE evidence.embedding_checksum IS NOT NULL
GROUP BY evidence.asset_id, models.id
"""
_FILL = """
UPDATE asset_vectors SET checksum = (
  SELECT evidence.embedding_checksum
  FROM latest_evidence AS latest JOIN training_evidence AS evidence
    ON evidence.id = latest.evidence_id
  WHERE latest.asset_id = asset_vectors.asset_id AND latest.model_id = asset_vectors.model_id
)
"""
# (model, content, vector) of pictures that were looked at themselves
_WITNESSES = f"""
CREATE TEMPORARY TABLE witnesses AS
SELECT DISTINCT vectors.model_id, vectors.sha256, vectors.checksum
FROM asset_vectors AS vectors
JOIN latest_evidence AS latest
  ON latest.asset_id = vectors.asset_id AND latest.model_id = vectors.model_id
JOIN training_evidence AS evidence ON evidence.id = latest.evidence_id
WHERE evidence.note <> '{REUSED}'
"""
_DOUBT = """
UPDATE asset_vectors SET size = -1, mtime_ns = 0, sha256 = '', checksum = NULL
WHERE checksum IS NULL OR NOT EXISTS (
  SELECT 1 FROM witnesses
  WHERE witnesses.model_id = asset_vectors.model_id
    AND witnesses.sha256 = asset_vectors.sha256
    AND witnesses.checksum = asset_vectors.checksum
)
"""
# the sessions that can still index such a picture do so; a vector that none can goes
_REOPENED = """
CREATE TEMPORARY TABLE reopened AS
SELECT jobs.id, jobs.session_id, jobs.asset_id, jobs.reused, sessions.model_id
FROM asset_vectors AS vectors
JOIN training_jobs AS jobs ON jobs.asset_id = vectors.asset_id AND jobs.status = 'completed'
JOIN training_sessions AS sessions
  ON sessions.id = jobs.session_id AND sessions.model_id = vectors.model_id
 AND sessions.status <> 'cancelled'
WHERE vectors.size < 0
"""
_REOPEN = (
    "UPDATE training_jobs SET status = 'pending', reused = {false}, finished_at = NULL"
    " WHERE id IN (SELECT id FROM reopened)",
    "UPDATE training_sessions SET"
    " completed_images = completed_images"
    "  - (SELECT count(*) FROM reopened WHERE reopened.session_id = training_sessions.id),"
    " reused_images = reused_images - (SELECT count(*) FROM reopened"
    "  WHERE reopened.session_id = training_sessions.id AND reopened.reused),"
    " running_since = CASE WHEN status = 'completed' THEN CURRENT_TIMESTAMP"
    "  ELSE running_since END,"
    " finished_at = CASE WHEN status = 'completed' THEN NULL ELSE finished_at END,"
    " status = CASE WHEN status = 'completed' THEN 'running' ELSE status END"
    " WHERE id IN (SELECT session_id FROM reopened)",
    "DELETE FROM asset_vectors WHERE size < 0 AND NOT EXISTS (SELECT 1 FROM reopened"
    " WHERE reopened.asset_id = asset_vectors.asset_id"
    "   AND reopened.model_id = asset_vectors.model_id)"
    " AND NOT EXISTS (SELECT 1 FROM training_jobs AS jobs JOIN training_sessions AS sessions"
    "  ON sessions.id = jobs.session_id AND sessions.model_id = asset_vectors.model_id"
    "  WHERE jobs.asset_id = asset_vectors.asset_id AND jobs.status IN ('pending', 'running'))",
)


def upgrade() -> None:
    op.add_column("training_sessions", sa.Column("waiting_for", sa.Text(), nullable=True))
    op.add_column("asset_vectors", sa.Column("checksum", sa.String(length=64), nullable=True))
    op.add_column(
        "asset_vectors", sa.Column("fence", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.create_index(
        "ix_asset_vectors_unsettled",
        "asset_vectors",
        ["model_id", "asset_id"],
        sqlite_where=sa.text("size < 0"),
        postgresql_where=sa.text("size < 0"),
    )
    for statement in (_LATEST, _FILL, _WITNESSES):
        op.execute(statement)
    op.execute(
        "CREATE INDEX ix_witnesses ON witnesses (model_id, sha256, checksum)"
        if op.get_bind().dialect.name == "postgresql"
        else "CREATE INDEX temp.ix_witnesses ON witnesses (model_id, sha256, checksum)"
    )
    false = "false" if op.get_bind().dialect.name == "postgresql" else "0"
    for statement in (_DOUBT, _REOPENED, *_REOPEN):
        op.execute(statement.replace("{false}", false))
    for table in ("latest_evidence", "witnesses", "reopened"):
        op.execute(f"DROP TABLE {table}")
    _renumber(autoincrement=True)


def _renumber(*, autoincrement: bool) -> None:
    """SQLite: whether the ids of removed rows are given out again. PostgreSQL never does."""
    if op.get_bind().dialect.name == "postgresql":
        return
    for table in NUMBERED:
        with op.batch_alter_table(
            table, recreate="always", table_kwargs={"sqlite_autoincrement": autoincrement}
        ):
            pass


def downgrade() -> None:
    _renumber(autoincrement=False)
    op.drop_index("ix_asset_vectors_unsettled", "asset_vectors")
    op.drop_column("asset_vectors", "fence")
    op.drop_column("asset_vectors", "checksum")
    op.drop_column("training_sessions", "waiting_for")
