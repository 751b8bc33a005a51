"""Files that the program put into folders are entered into the sessions that they belong to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from app.db import sessions
from app.db.engine import get_sync_engine, write_transaction
from app.db.models import AssetVector, EmbeddingModel, ImageAsset, TrainingJob, TrainingSession
from app.scan.arrivals import take_in
from app.scan.session_walk import STARTED, UPDATED, SessionWalk

pytestmark = pytest.mark.usefixtures("rung")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("one.jpg", "deep/two.jpg"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "root"


def walked(root: Path, status: str = "completed", **values: Any) -> int:
    """A session of a folder, walked whole; all of its pictures are indexed."""
    with write_transaction() as conn:
        row = {"name": "s", "root_path": str(root), "model": "builtin"} | values
        insert = TrainingSession.__table__.insert().values(row)
        session_id: int = conn.execute(insert).inserted_primary_key[0]
    for _ in SessionWalk(session_id, STARTED).steps():
        pass
    model = {"name": "m", "version": "v", "weights_digest": "d", "dimension": 4, "spec": ""}
    with write_transaction() as conn:
        table = EmbeddingModel.__table__
        model |= {"collection": str(session_id), "name": str(session_id)}
        model_id = conn.execute(table.insert().values(model)).inserted_primary_key[0]
        its = select(TrainingJob.asset_id).where(TrainingJob.session_id == session_id)
        for asset in conn.execute(select(ImageAsset).where(ImageAsset.id.in_(its))).all():
            vector = {"asset_id": asset.id, "model_id": model_id, "size": asset.size}
            vector |= {"mtime_ns": asset.mtime_ns, "sha256": "0"}
            conn.execute(AssetVector.__table__.insert().values(vector))
        of_it = TrainingJob.session_id == session_id
        conn.execute(update(TrainingJob).where(of_it).values(status="completed"))
        counted = sessions.recount(conn, session_id)
        its_row = update(TrainingSession).where(TrainingSession.id == session_id)
        conn.execute(its_row.values(status=status, model_id=model_id, **counted))
    return session_id


def put(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a copy")
    return str(path)


def pending(session_id: int) -> set[str]:
    query = (
        select(ImageAsset.path)
        .join(TrainingJob, TrainingJob.asset_id == ImageAsset.id)
        .where(TrainingJob.session_id == session_id, TrainingJob.status == "pending")
    )
    with get_sync_engine().connect() as conn:
        return {os.path.basename(path) for path in conn.scalars(query)}


def row_of(session_id: int) -> Any:
    with get_sync_engine().connect() as conn:
        return conn.execute(select(TrainingSession).where(TrainingSession.id == session_id)).one()


def test_a_file_is_indexed_by_each_session_over_its_folder(root: Path, rung: list[int]) -> None:
    whole, part, other = walked(root), walked(root / "deep"), walked(root, "paused")
    rung.clear()
    take_in([put(root / "deep" / "copy.jpg")])
    assert [pending(one) for one in (whole, part, other)] == [{"copy.jpg"}] * 3
    assert [row_of(one).status for one in (whole, part, other)] == ["running", "running", "paused"]
    assert [row_of(one).total_images for one in (whole, part, other)] == [3, 2, 3]
    assert {whole, part} <= set(rung)


def test_nobody_has_looked_at_the_rest_so_the_last_update_stays_as_it_is(root: Path) -> None:
    session_id = walked(root)
    for _ in SessionWalk(session_id, UPDATED).steps():
        pass
    before = row_of(session_id)
    take_in([put(root / "copy.jpg")])
    after = row_of(session_id)
    assert (after.last_update, after.discovered_at) == (before.last_update, before.discovered_at)


def test_what_an_update_would_not_see_is_not_taken_in(root: Path, tmp_path: Path) -> None:
    config = {"recursive": False, "exclude": ["*secret*"]}
    session_id = walked(root, config=config)
    names = ("film.mp4", ".hidden.jpg", "deep/three.jpg", "secret.jpg")
    take_in([put(tmp_path / "elsewhere.jpg"), *(put(root / name) for name in names)])
    assert (pending(session_id), row_of(session_id).status) == (set(), "completed")


def test_a_session_that_was_never_started_or_is_cancelled_stays_so(root: Path) -> None:
    with write_transaction() as conn:
        row = {"name": "s", "root_path": str(root), "model": "builtin"}
        conn.execute(TrainingSession.__table__.insert().values(row))
    cancelled = walked(root, "cancelled")
    take_in([put(root / "copy.jpg")])
    assert [row_of(one).status for one in (1, cancelled)] == ["pending", "cancelled"]
    assert pending(1) == pending(cancelled) == set()


def test_a_file_that_takes_the_place_of_a_missing_one_is_indexed_anew(root: Path) -> None:
    session_id = walked(root)
    with write_transaction() as conn:
        conn.execute(update(ImageAsset).values(missing_since=row_of(session_id).created_at))
    take_in([put(root / "one.jpg")])
    assert pending(session_id) == {"one.jpg"}
    take_in([str(root / "gone.jpg")])  # somebody was quicker
    assert pending(session_id) == {"one.jpg"}
