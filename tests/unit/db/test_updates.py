"""Updates, removals and moved roots, on both databases."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.db import jobs, relocation, removal, sessions
from app.db.engine import get_sync_engine, write_transaction
from app.db.files import FoundFile, register_files
from app.db.models import (
    AssetVector,
    EmbeddingModel,
    FileAct,
    ImageAsset,
    NearDuplicate,
    TrainingEvidence,
    TrainingJob,
    TrainingSession,
)
from app.db.schedule import due_sessions
from app.db.types import path_to_text, text_to_path, utc_now
from app.errors import AppError
from app.scan import session_walk
from app.scan.missing_files import forget, moved_files
from app.scan.session_walk import STARTED, UPDATED, SessionWalk

pytestmark = pytest.mark.usefixtures("ledger")

ODD = os.fsdecode(b"caf\xe9 \xff\xfe")
NAMES = [
    "plain.jpg",
    "100%_sure/a_b%c.jpg",
    "new\nline/😀.jpg",
    f"{ODD}/{ODD}.jpg",
    f"{ODD}.jpg",
    "deep/er/still.jpg",
]


def new_session(root: str, names: list[str], **values: Any) -> int:
    """A finished session of these files below a root; nothing is on disk."""
    with write_transaction() as conn:
        row = {
            "name": "s",
            "root_path": root,
            "model": "builtin",
            "discovered_at": utc_now(),
        } | values
        session_id = conn.execute(
            TrainingSession.__table__.insert().values(row)
        ).inserted_primary_key[0]
        paths = [os.path.join(root, name) for name in names]
        files = [
            FoundFile(path_to_text(path), path_to_text(os.path.dirname(path)), 10, 1)
            for path in paths
        ]
        register_files(conn, files)
        jobs.create_jobs_for_paths(conn, session_id, [file.path for file in files])
        conn.execute(
            update(TrainingJob)
            .where(TrainingJob.session_id == session_id)
            .values(status="completed", attempts=1)
        )
        conn.execute(
            update(TrainingSession)
            .where(TrainingSession.id == session_id)
            .values(status="completed", **sessions.recount(conn, session_id))
        )
    return session_id


@pytest.fixture
def model_id(ledger: None) -> int:
    with write_transaction() as conn:
        return conn.execute(
            EmbeddingModel.__table__.insert().values(
                name="m", version="v", weights_digest="d", dimension=4, collection="c", spec=""
            )
        ).inserted_primary_key[0]


def add_vectors(model_id: int) -> None:
    with write_transaction() as conn:
        for asset_id in conn.scalars(select(ImageAsset.id)).all():
            conn.execute(
                AssetVector.__table__.insert().values(
                    asset_id=asset_id, model_id=model_id, size=10, mtime_ns=1, sha256="0"
                )
            )
            conn.execute(
                NearDuplicate.__table__.insert().values(
                    asset_id=asset_id, model_id=model_id, group_id=1, score=0.9
                )
            )
        for job in conn.execute(select(TrainingJob)).all():
            conn.execute(
                TrainingEvidence.__table__.insert().values(
                    job_id=job.id, asset_id=job.asset_id, session_id=job.session_id, attempt=1
                )
            )


def paths() -> set[str]:
    with get_sync_engine().connect() as conn:
        rows = conn.execute(select(ImageAsset.path, ImageAsset.folder)).all()
    assert all(os.path.dirname(path) == folder for path, folder in rows)
    return {row.path for row in rows}


def relocated(old: str, new: str) -> int:
    with write_transaction() as conn:
        return relocation.relocate(conn, old, new)


def totals() -> dict[str, int]:
    tables = (ImageAsset, TrainingJob, TrainingEvidence, AssetVector, NearDuplicate)
    with get_sync_engine().connect() as conn:
        return {
            table.__tablename__: conn.scalar(select(func.count()).select_from(table)) or 0
            for table in tables
        }


# --- left out by now --------------------------------------------------------------------------


def test_what_is_left_out_by_now_is_excluded_where_no_other_session_has_it() -> None:
    one = new_session("/photos", ["a.jpg", "b.jpg"])
    new_session("/photos", ["b.jpg"])
    new_session("/photos", ["a.jpg"], status="cancelled")
    with write_transaction() as conn:
        conn.execute(
            update(TrainingSession).where(TrainingSession.id == 3).values(status="cancelled")
        )
        ids = conn.scalars(select(ImageAsset.id)).all()
        assert jobs.leave_out(conn, one, ids) == 2
        assert jobs.leave_out(conn, one, ids) == 0
        excluded = conn.scalars(select(ImageAsset.path).where(ImageAsset.excluded)).all()
        assert excluded == ["/photos/a.jpg"]
        row = conn.execute(select(TrainingSession).filter_by(id=one)).one()
        counted = sessions.recount(conn, one)
    assert {name: getattr(row, name) for name in counted} == counted
    assert (counted["completed_images"], counted["cancelled_images"]) == (0, 2)


# --- a moved root -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/photos", "/mnt/disk/photos"),
        (f"/{ODD}", "/plain"),
        ("/plain", f"/new {ODD}/50%_off"),
        ("/photos", "/photos/inner"),
        ("/photos/inner", "/photos"),
    ],
)
def test_every_name_moves_with_its_root(old: str, new: str) -> None:
    session_id = new_session(old, NAMES, subdirectories=[f"{old}/100%_sure"])
    assert relocated(old, new) == len(NAMES)
    assert paths() == {os.path.join(new, name) for name in NAMES}
    with get_sync_engine().connect() as conn:
        row = conn.execute(select(TrainingSession).filter_by(id=session_id)).one()
    assert (row.root_path, [text_to_path(t) for t in row.subdirectories]) == (
        new,
        [f"{new}/100%_sure"],
    )


def test_folders_whose_names_only_begin_alike_stay() -> None:
    siblings = ["/photos2", "/photos%", "/photosX", f"/photos{ODD}", "/PHOTOS", "/photos\udce9"]
    for sibling in siblings:
        new_session(sibling, ["a.jpg"])
    new_session("/photos", [f"{ODD}.jpg", "\udce9.jpg"])
    assert relocated("/photos", "/new") == 2
    assert paths() == {f"{sibling}/a.jpg" for sibling in siblings} | {
        f"/new/{ODD}.jpg",
        "/new/\udce9.jpg",
    }


def test_sessions_inside_the_root_move_along_and_the_others_stay() -> None:
    ids = [new_session(root, ["a.jpg"]) for root in ("/p", "/p/in", "/p2", "/")]
    relocated("/p", "/q")
    with get_sync_engine().connect() as conn:
        roots = dict(conn.execute(select(TrainingSession.id, TrainingSession.root_path)).all())
    assert [roots[number] for number in ids] == ["/q", "/q/in", "/p2", "/"]


def test_a_picture_whose_new_path_is_taken_stays_where_it_is() -> None:
    new_session("/old", ["a.jpg", "b.jpg"])
    new_session("/new", ["a.jpg"])
    assert relocated("/old", "/new") == 1
    assert paths() == {"/old/a.jpg", "/new/a.jpg", "/new/b.jpg"}


def test_only_the_vectors_of_moved_pictures_are_marked_as_stale(model_id: int) -> None:
    new_session("/old", ["a.jpg"])
    new_session("/other", ["b.jpg"])
    add_vectors(model_id)
    relocated("/old", "/new")
    with get_sync_engine().connect() as conn:
        stale = conn.scalars(
            select(ImageAsset.path)
            .join(AssetVector, AssetVector.asset_id == ImageAsset.id)
            .where(AssetVector.payload_stale)
        ).all()
    assert stale == ["/new/a.jpg"]


# --- removed pictures -------------------------------------------------------------------------


def test_removing_puts_the_counters_of_all_sessions_right(model_id: int) -> None:
    first = new_session("/p", ["a.jpg", "b.jpg", "c.jpg"])
    second = new_session("/p", ["b.jpg", "c.jpg"])
    add_vectors(model_id)
    with write_transaction() as conn:
        ids = dict(conn.execute(select(ImageAsset.path, ImageAsset.id)).all())
        conn.execute(
            update(ImageAsset).where(ImageAsset.path != "/p/a.jpg").values(missing_since=utc_now())
        )
        failed = (TrainingJob.session_id == second) & (TrainingJob.asset_id == ids["/p/b.jpg"])
        conn.execute(update(TrainingJob).where(failed).values(status="failed"))
        for session_id in (first, second):
            conn.execute(
                update(TrainingSession)
                .where(TrainingSession.id == session_id)
                .values(**sessions.recount(conn, session_id))
            )
        removed, vectors = removal.remove_assets(conn, sorted(ids.values()))
    assert (removed, {k: sorted(v) for k, v in vectors.items()}) == (
        2,
        {model_id: sorted([ids["/p/b.jpg"], ids["/p/c.jpg"]])},
    )
    assert set(totals().values()) == {1}
    with get_sync_engine().connect() as conn:
        for session_id, left in ((first, 1), (second, 0)):
            row = conn.execute(select(TrainingSession).filter_by(id=session_id)).one()
            counted = sessions.recount(conn, session_id)
            assert {name: getattr(row, name) for name in counted} == counted
            assert (row.total_images, row.total_bytes) == (left, 10 * left)


def test_a_picture_in_work_is_not_removed(model_id: int) -> None:
    new_session("/p", ["a.jpg"])
    add_vectors(model_id)
    with write_transaction() as conn:
        conn.execute(update(ImageAsset).values(missing_since=utc_now()))
        conn.execute(update(TrainingJob).values(status="running"))
        assert removal.remove_assets(conn, [conn.scalar(select(ImageAsset.id))]) == (0, {})
    assert set(totals().values()) == {1}


# --- the walk ---------------------------------------------------------------------------------


def test_the_walk_and_the_schedule_work_on_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_id: int
) -> None:
    monkeypatch.setattr(session_walk, "enqueue_session_if_possible", lambda _: None)
    root = tmp_path / "root"
    for name in NAMES[:4]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    with write_transaction() as conn:
        row = {"name": "s", "root_path": str(root), "model": "builtin", "model_id": model_id}
        session_id = conn.execute(
            TrainingSession.__table__.insert().values(row)
        ).inserted_primary_key[0]
    list(SessionWalk(session_id, STARTED).steps())
    with write_transaction() as conn:
        for asset in conn.execute(select(ImageAsset)).all():
            conn.execute(
                AssetVector.__table__.insert().values(
                    asset_id=asset.id,
                    model_id=model_id,
                    size=1,
                    mtime_ns=asset.mtime_ns,
                    sha256="0",
                )
            )
        conn.execute(update(TrainingJob).values(status="completed"))
        counted = sessions.recount(conn, session_id)
        conn.execute(
            update(TrainingSession).values(
                status="completed", config={"update_every_hours": 1, "watch": True}, **counted
            )
        )
    assert due_sessions() == []
    with get_sync_engine().connect() as conn:
        entered = set(conn.execute(select(ImageAsset.path, ImageAsset.folder, ImageAsset.size)))
    files = [str(root / name) for name in NAMES[:4]]
    assert entered == {(file, os.path.dirname(file), 1) for file in files}
    with monkeypatch.context() as unchanged:
        unchanged.setattr(SessionWalk, "_known", None)  # nobody has to look at each
        walk = SessionWalk(session_id, UPDATED)
        list(walk.steps())
    assert (walk.summary.unchanged, walk.summary.message) == (4, "")
    (root / "plain.jpg").unlink()
    (root / NAMES[1]).write_bytes(b"longer")
    (root / "new.jpg").touch()
    walk = SessionWalk(session_id, UPDATED)
    list(walk.steps())
    found = walk.summary
    assert (found.new, found.changed, found.missing, found.unchanged) == (1, 1, 1, 2)
    with get_sync_engine().connect() as conn:
        counted = sessions.recount(conn, session_id)
        row = conn.execute(select(TrainingSession)).one()
    assert {name: getattr(row, name) for name in counted} == counted
    assert (row.status, row.completed_images, row.total_images) == ("running", 3, 5)
    long_ago = utc_now().replace(year=2020)
    with write_transaction() as conn:
        conn.execute(
            update(TrainingSession).values(
                status="completed", discovered_at=long_ago, last_update=None
            )
        )
    assert due_sessions() == [session_id]


# --- a session that is removed ----------------------------------------------------------------


def set_asset(name: str, **values: Any) -> None:
    with write_transaction() as conn:
        conn.execute(update(ImageAsset).where(ImageAsset.path == f"/away/{name}").values(values))


def set_vectors(name: str, **values: Any) -> None:
    its = select(ImageAsset.id).where(ImageAsset.path == f"/away/{name}").scalar_subquery()
    with write_transaction() as conn:
        conn.execute(update(AssetVector).where(AssetVector.asset_id == its).values(values))


def moved_from_old_to_new(model_id: int) -> int:
    """A session of two files of the same content, of which the older one is missing."""
    session_id = new_session("/away", ["old.jpg", "new.jpg"], model_id=model_id)
    add_vectors(model_id)
    for name in ("old.jpg", "new.jpg"):
        set_asset(name, sha256="0")
    set_asset("old.jpg", missing_since=utc_now())
    summary = {"new": 1, "missing": 1, "moved": 0, "gone": 1}
    with write_transaction() as conn:
        conn.execute(update(TrainingSession).values(last_update=summary))
    return session_id


def test_what_has_only_moved_is_forgotten_and_the_update_says_so(model_id: int) -> None:
    session_id = moved_from_old_to_new(model_id)
    (row,) = moved_files()
    assert row.path == "/away/old.jpg"
    assert forget([row], moved=True) == (1, {model_id: [row.id]})
    assert paths() == {"/away/new.jpg"}
    with get_sync_engine().connect() as conn:
        session: Any = conn.execute(select(TrainingSession)).one()
        assert session.last_update == {"new": 1, "missing": 0, "moved": 1, "gone": 0}
        assert session.total_images == 1
        assert sessions.recount(conn, session_id)["total_images"] == 1


@pytest.mark.parametrize(
    "otherwise",
    [
        lambda: set_asset("new.jpg", missing_since=utc_now()),
        lambda: set_asset("new.jpg", sha256=None),
        lambda: set_vectors("new.jpg", sha256="another"),
        lambda: set_asset("old.jpg", excluded=True),
        lambda: set_asset("old.jpg", missing_since=None),
        lambda: put_into_trash("old.jpg"),
    ],
    ids=["both are missing", "not read", "not indexed", "excluded", "there", "in the trash"],
)
def test_what_may_be_lost_otherwise_is_kept(model_id: int, otherwise: Callable[[], None]) -> None:
    moved_from_old_to_new(model_id)
    otherwise()
    assert moved_files() == []


def test_the_younger_of_two_copies_is_kept_as_its_disk_may_be_away(model_id: int) -> None:
    moved_from_old_to_new(model_id)
    set_asset("old.jpg", missing_since=None)
    set_asset("new.jpg", missing_since=utc_now())
    assert moved_files() == []


def test_the_index_of_a_model_that_its_sessions_have_left_is_not_waited_for(model_id: int) -> None:
    moved_from_old_to_new(model_id)
    with write_transaction() as conn:
        left = {"name": "left", "version": "v", "weights_digest": "d", "dimension": 4}
        row = EmbeddingModel.__table__.insert().values(left | {"collection": "left", "spec": ""})
        other = conn.execute(row).inserted_primary_key[0]
        old = select(ImageAsset.id).where(ImageAsset.path == "/away/old.jpg").scalar_subquery()
        vector = {"asset_id": old, "model_id": other, "size": 10, "mtime_ns": 1, "sha256": "0"}
        conn.execute(AssetVector.__table__.insert().values(vector))
    assert len(moved_files()) == 1
    with write_transaction() as conn:
        conn.execute(update(TrainingSession).values(model_id=other))
    assert moved_files() == []


def put_into_trash(name: str) -> None:
    with write_transaction() as conn:
        asset_id = conn.scalar(select(ImageAsset.id).where(ImageAsset.path == f"/away/{name}"))
        act = {"act": "a", "machine": "m", "kind": "trash", "state": "done", "asset_id": asset_id}
        place = {"source": f"/away/{name}", "size": 10, "mtime_ns": 1}
        conn.execute(FileAct.__table__.insert().values(act | place))


def removed(session_id: int, limit: int) -> list[tuple[int, dict[int, list[int]]]]:
    """Every step of a removal; the counters hold after each."""
    steps = []
    while True:
        with write_transaction() as conn:
            steps.append(removal.remove_from_session(conn, session_id, limit))
            row = conn.execute(select(TrainingSession).filter_by(id=session_id)).one_or_none()
            if row is None:
                return steps
            counted = sessions.recount(conn, session_id)
            assert {name: getattr(row, name) for name in counted} == counted


def test_a_removed_session_takes_only_pictures_with_it_that_no_other_has(model_id: int) -> None:
    gone = new_session("/photos", ["a.jpg", "b.jpg", "c.jpg", "excluded.jpg"])
    kept = new_session("/photos", ["b.jpg", "d.jpg"])
    add_vectors(model_id)
    with write_transaction() as conn:
        excluded = update(ImageAsset).where(ImageAsset.path == "/photos/excluded.jpg")
        conn.execute(excluded.values(excluded=True))
        ids = {row.path[8:]: row.id for row in conn.execute(select(ImageAsset)).all()}
    steps = removed(gone, limit=3)
    assert [number for number, _ in steps] == [3, 1, 0]
    assert steps[0][1] == {model_id: [ids["a.jpg"], ids["c.jpg"]]}
    assert paths() == {f"/photos/{name}" for name in ("b.jpg", "d.jpg", "excluded.jpg")}
    assert totals() == {
        "image_assets": 3,
        "training_jobs": 2,
        "training_evidence": 2,
        "asset_vectors": 3,
        "near_duplicates": 3,
    }
    with get_sync_engine().connect() as conn:
        assert set(conn.scalars(select(TrainingSession.id))) == {kept}
        stale = conn.scalars(select(AssetVector.asset_id).where(AssetVector.payload_stale))
        assert set(stale) == {ids["b.jpg"], ids["excluded.jpg"]}
    assert removed(gone, limit=3) == [(0, {})]


@pytest.mark.parametrize("held", ["session", "picture"])
def test_a_session_that_is_being_indexed_is_not_removed(held: str) -> None:
    session_id = new_session("/photos", ["a.jpg"])
    with write_transaction() as conn:
        table = TrainingSession if held == "session" else TrainingJob
        conn.execute(update(table).values(status="running"))
    with pytest.raises(AppError, match="is being indexed"), write_transaction() as conn:
        removal.remove_from_session(conn, session_id, 10)
    assert paths() == {"/photos/a.jpg"}
