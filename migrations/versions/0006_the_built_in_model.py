"""the model that comes with the program has other weights and another name"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _rename("demo", "builtin")


def downgrade() -> None:
    _rename("builtin", "demo")


def _rename(old: str, new: str) -> None:
    names = {"old": old, "new": new}
    for table, column in (("embedding_models", "spec"), ("training_sessions", "model")):
        statement = f"UPDATE {table} SET {column} = :new WHERE {column} = :old"
        op.execute(sa.text(statement).bindparams(**names))
