"""A root folder that has moved: every path below it is rewritten, and nothing is indexed again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    Text,
    case,
    func,
    literal,
    select,
    type_coerce,
    update,
)
from sqlalchemy.orm import aliased

from app.db.models import AssetVector, ImageAsset, TrainingSession
from app.db.types import path_to_text, text_to_path


def sessions_at(conn: Connection, root: str) -> Sequence[Any]:
    """Sessions whose root is this folder or lies in it: they move with it."""
    rows = conn.execute(
        select(
            TrainingSession.id,
            TrainingSession.name,
            TrainingSession.status,
            TrainingSession.root_path,
            TrainingSession.subdirectories,
        ).order_by(TrainingSession.id)
    )
    return [row for row in rows if moved(row.root_path, root, root) is not None]


def relocate(conn: Connection, old_root: str, new_root: str) -> int:
    """Rewrite the paths of all sessions at ``old_root`` and of all pictures below it.

    A picture whose new path is in the ledger already stays as it is, to be found missing later.

    Returns:
        how many pictures have a new path.
    """
    for row in sessions_at(conn, old_root):
        folders = [text_to_path(text) for text in row.subdirectories]
        conn.execute(
            update(TrainingSession)
            .where(TrainingSession.id == row.id)
            .values(
                root_path=moved(row.root_path, old_root, new_root),
                subdirectories=[
                    path_to_text(moved(folder, old_root, new_root) or folder) for folder in folders
                ],
            )
        )
    old, new = (path_to_text(root).rstrip(os.sep) for root in (old_root, new_root))
    path, folder = (type_coerce(column, Text) for column in (ImageAsset.path, ImageAsset.folder))
    new_path = literal(new, String) + func.substr(path, len(old) + 1)
    new_folder = case(
        (folder == path_to_text(old_root), literal(path_to_text(new_root), String)),
        else_=literal(new, String) + func.substr(folder, len(old) + 1),
    )
    other = aliased(ImageAsset)
    taken = select(other.id).where(type_coerce(other.path, Text) == new_path).exists()
    to_move = is_stored_below(path, old_root) & ~taken
    conn.execute(
        update(AssetVector)
        .where(AssetVector.asset_id.in_(select(ImageAsset.id).where(to_move)))
        .values(payload_stale=True)
    )
    return conn.execute(
        update(ImageAsset).where(to_move).values(path=new_path, folder=new_folder)
    ).rowcount


def moved(path: str, old_root: str, new_root: str) -> str | None:
    """A path as it is after the move; None where it does not lie at or below the old root."""
    if path == old_root:
        return new_root
    prefix = old_root.rstrip(os.sep) + os.sep
    return os.path.join(new_root, path.removeprefix(prefix)) if path.startswith(prefix) else None


def is_stored_below(path: ColumnElement[str], root: str) -> ColumnElement[bool]:
    """Whether a path, as it is stored, lies below a folder.

    After the folder's slash, an escaped character stands as ``//…``. Where only one slash follows,
    the two are an escape in the name of another folder: ``/a//dce9`` is no child of ``/a``.
    """
    prefix = path_to_text(root).rstrip(os.sep) + os.sep
    begins, after = func.substr(path, 1, len(prefix)), len(prefix) + 1
    return (begins == prefix) & (
        (func.substr(path, after, 1) != os.sep) | (func.substr(path, after, 2) == os.sep * 2)
    )
