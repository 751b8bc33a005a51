"""A walk brings the ledger in line with the folders, writes what changed only, opens nothing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, update

from app.api.error_kinds import ErrorKind
from app.api.update_schemas import UpdateSummary
from app.db import sessions
from app.db.engine import get_sync_engine, write_transaction
from app.db.files import FoundFile
from app.db.models import (
    AssetVector,
    EmbeddingModel,
    ImageAsset,
    JobStatus,
    SessionStatus,
    TrainingJob,
    TrainingSession,
)
from app.db.schedule import due_sessions
from app.db.types import utc_now
from app.errors import AppError
from app.file_types import FORMER_DEFAULT_EXTENSIONS
from app.scan import file_walk, session_walk
from app.scan.exclusions import BY_PATTERN, EXCLUDED, Exclusions
from app.scan.session_walk import STARTED, UPDATED, SessionWalk

pytestmark = pytest.mark.usefixtures("rung")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a/one.jpg", "a/two.jpg", "b/three.jpg", "b/four.jpg", "b/five.jpg"):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "root"


def new_session(root: Path, **values: Any) -> int:
    with write_transaction() as conn:
        row = {"name": "s", "root_path": str(root), "model": "builtin"} | values
        return conn.execute(TrainingSession.__table__.insert().values(row)).inserted_primary_key[0]


def walked(session_id: int, may_start: frozenset[Any] = UPDATED) -> UpdateSummary:
    walk = SessionWalk(session_id, may_start)
    for _ in walk.steps():
        pass
    assert_counters(session_id)
    return walk.summary


def index(session_id: int) -> None:
    """Finish every picture, as a worker would."""
    with write_transaction() as conn:
        model_id = conn.scalar(select(EmbeddingModel.id))
        if model_id is None:
            model_id = conn.execute(
                EmbeddingModel.__table__.insert().values(
                    name="m", version="v", weights_digest="d", dimension=4, collection="c", spec=""
                )
            ).inserted_primary_key[0]
        for row in conn.execute(
            select(ImageAsset.id, ImageAsset.size, ImageAsset.mtime_ns, TrainingJob.id.label("job"))
            .join(TrainingJob, TrainingJob.asset_id == ImageAsset.id)
            .where(
                TrainingJob.session_id == session_id, TrainingJob.status == JobStatus.PENDING.value
            )
        ).all():
            conn.execute(
                update(TrainingJob)
                .where(TrainingJob.id == row.job)
                .values(status=JobStatus.COMPLETED.value)
            )
            conn.execute(AssetVector.__table__.delete().where(AssetVector.asset_id == row.id))
            conn.execute(
                AssetVector.__table__.insert().values(
                    asset_id=row.id,
                    model_id=model_id,
                    size=row.size,
                    mtime_ns=row.mtime_ns,
                    sha256="0",
                )
            )
        conn.execute(
            update(TrainingSession)
            .where(TrainingSession.id == session_id)
            .values(
                status=SessionStatus.COMPLETED.value,
                model_id=model_id,
                **sessions.recount(conn, session_id),
            )
        )


def indexed(root: Path) -> int:
    session_id = new_session(root)
    walked(session_id, STARTED)
    index(session_id)
    return session_id


def row_of(session_id: int) -> Any:
    with get_sync_engine().connect() as conn:
        return conn.execute(select(TrainingSession).where(TrainingSession.id == session_id)).one()


def assert_counters(session_id: int) -> None:
    with get_sync_engine().connect() as conn:
        counted = sessions.recount(conn, session_id)
    row = row_of(session_id)
    assert {name: getattr(row, name) for name in counted} == counted


def missing() -> set[str]:
    with get_sync_engine().connect() as conn:
        paths = conn.scalars(select(ImageAsset.path).where(ImageAsset.missing_since.is_not(None)))
        return {os.path.basename(path) for path in paths}


def jobs_in(status: JobStatus) -> set[str]:
    with get_sync_engine().connect() as conn:
        paths = conn.scalars(
            select(ImageAsset.path)
            .join(TrainingJob, TrainingJob.asset_id == ImageAsset.id)
            .where(TrainingJob.status == status.value)
        )
        return {os.path.basename(path) for path in paths}


class _Opened:
    paths: list[str] | None = None


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _Opened.paths is not None:
        _Opened.paths.append(os.fsdecode(arguments[0]) if arguments[0] else "")


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """Every path that this process opens inside the block."""
    if not hasattr(_Opened, "hook"):
        _Opened.hook = sys.addaudithook(_hear)  # it stays for good, hence only once
    _Opened.paths = paths = []
    yield paths
    _Opened.paths = None


# --- the first walk ---------------------------------------------------------------------------


def test_the_first_walk_starts_the_session_with_its_first_chunk_and_rings_once(
    root: Path, rung: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_walk, "FIRST_CHUNK", 2)
    session_id = new_session(root)
    steps = SessionWalk(session_id, STARTED).steps()
    assert next(steps) == 2
    row = row_of(session_id)
    assert (row.status, row.discovered_at, row.total_images) == ("running", None, 2)
    assert rung == [session_id]
    assert list(steps) == [5]
    assert row_of(session_id).discovered_at is not None
    assert row_of(session_id).last_update is None
    assert rung == [session_id]


def test_a_walk_without_a_start_leaves_the_status_alone(root: Path, rung: list[int]) -> None:
    session_id = new_session(root)
    walked(session_id, frozenset())
    assert (row_of(session_id).status, rung) == ("pending", [])


def test_a_pause_that_comes_during_the_walk_stays(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_walk, "FIRST_CHUNK", 2)
    session_id = new_session(root)
    steps = SessionWalk(session_id, STARTED).steps()
    next(steps)
    with write_transaction() as conn:
        sessions.move_session(conn, session_id, SessionStatus.PAUSED)
    list(steps)
    row = row_of(session_id)
    assert (row.status, row.total_images) == ("paused", 5)


def test_a_cancel_ends_the_walk(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_walk, "FIRST_CHUNK", 2)
    session_id = new_session(root)
    steps = SessionWalk(session_id, STARTED).steps()
    next(steps)
    with write_transaction() as conn:
        sessions.move_session(conn, session_id, SessionStatus.CANCELLED)
    assert list(steps) == []
    assert row_of(session_id).discovered_at is None


# --- updates ----------------------------------------------------------------------------------


def test_an_unchanged_library_opens_no_picture_and_writes_no_job(
    root: Path, rung: list[int]
) -> None:
    session_id = indexed(root)
    rung.clear()
    statements: list[str] = []
    from sqlalchemy import event

    @event.listens_for(get_sync_engine(), "before_cursor_execute")
    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "BEGIN")):
            statements.append(statement)

    with opened_files() as opened:
        summary = walked(session_id)
    event.remove(get_sync_engine(), "before_cursor_execute", note)
    assert [path for path in opened if path.startswith(str(root))] == []
    assert (summary.unchanged, summary.new, summary.changed, summary.missing) == (5, 0, 0, 0)
    assert len(statements) == 1  # that the session was looked at
    assert (row_of(session_id).status, rung) == ("completed", [])
    assert jobs_in(JobStatus.PENDING) == set()


def test_new_and_changed_files_set_a_finished_session_running(root: Path, rung: list[int]) -> None:
    session_id = indexed(root)
    rung.clear()
    (root / "a" / "new.jpg").touch()
    (root / "a" / "one.jpg").write_bytes(b"longer than before")
    summary = walked(session_id)
    assert (summary.new, summary.changed, summary.unchanged) == (1, 1, 4)
    assert jobs_in(JobStatus.PENDING) == {"new.jpg", "one.jpg"}
    row = row_of(session_id)
    assert (row.status, row.total_images, row.completed_images) == ("running", 6, 4)
    assert UpdateSummary.model_validate(row.last_update) == summary
    assert rung == [session_id]


def test_the_same_size_at_another_time_is_a_change(root: Path) -> None:
    session_id = indexed(root)
    os.utime(root / "a" / "one.jpg", ns=(1, 1))
    assert walked(session_id).changed == 1


def test_only_a_chunk_with_a_change_is_looked_at_file_by_file(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = indexed(root)
    monkeypatch.setattr(file_walk, "FIRST_CHUNK", 2)
    monkeypatch.setattr(file_walk, "CHUNK", 2)
    looked_at: list[Sequence[FoundFile]] = []
    known = SessionWalk._known

    def note(this: SessionWalk, conn: Connection, chunk: Sequence[FoundFile]) -> Sequence[Any]:
        looked_at.append(chunk)
        return known(this, conn, chunk)

    monkeypatch.setattr(SessionWalk, "_known", note)
    changed = root / "a" / "one.jpg"
    changed.write_bytes(b"longer than before")
    summary = walked(session_id)
    assert (summary.changed, summary.unchanged) == (1, 4)
    assert len(looked_at) == 1
    assert str(changed) in {file.path for file in looked_at[0]}


def test_an_older_session_looks_for_the_endings_that_came_since(root: Path) -> None:
    session_id = indexed(root)
    (root / "DSC0001.HIF").write_bytes(b"x")
    former = {"extensions": sorted(FORMER_DEFAULT_EXTENSIONS)}
    chosen = {"extensions": ["jpg", "png"]}
    for config, new in ((chosen, 0), (former, 1)):
        with write_transaction() as conn:
            conn.execute(update(TrainingSession).values(config=config))
        assert walked(session_id).new == new


def test_what_another_session_has_noted_is_still_a_change_here(root: Path) -> None:
    first, second = indexed(root), indexed(root)
    (root / "a" / "one.jpg").write_bytes(b"other")
    assert walked(first).changed == 1  # brings the row of the file up to date
    assert walked(second).changed == 1


def test_a_paused_session_takes_the_new_and_stays_paused(root: Path, rung: list[int]) -> None:
    session_id = indexed(root)
    with write_transaction() as conn:
        conn.execute(update(TrainingSession).values(status=SessionStatus.PAUSED.value))
    (root / "new.jpg").touch()
    assert walked(session_id).new == 1
    assert row_of(session_id).status == "paused"


def test_a_missing_file_is_marked_and_unmarked_when_it_is_back(root: Path, tmp_path: Path) -> None:
    session_id = indexed(root)
    shutil.move(root / "a" / "one.jpg", tmp_path / "away.jpg")
    summary = walked(session_id)
    assert (summary.missing, summary.gone, missing()) == (1, 1, {"one.jpg"})
    assert (walked(session_id).missing, walked(session_id).gone) == (0, 1)
    shutil.move(tmp_path / "away.jpg", root / "a" / "one.jpg")
    summary = walked(session_id)
    assert (summary.back, summary.gone, missing()) == (1, 0, set())
    assert row_of(session_id).status == "completed"


def test_a_picture_that_is_excluded_from_a_session_makes_up_for_no_missing_one(root: Path) -> None:
    """As many are seen and known as the session has pictures."""
    indexed(root)
    with write_transaction() as conn:
        one = ImageAsset.path == str(root / "a" / "one.jpg")
        conn.execute(update(ImageAsset).where(one).values(excluded=True))
    second = indexed(root)
    (root / "b" / "three.jpg").unlink()
    assert walked(second).missing == 1


def test_a_picture_that_failed_because_it_was_away_is_tried_again(root: Path) -> None:
    session_id = indexed(root)
    with write_transaction() as conn:
        conn.execute(
            update(TrainingJob)
            .where(TrainingJob.id == 1)
            .values(status="failed", error_kind=ErrorKind.MISSING.value)
        )
        conn.execute(
            update(TrainingJob)
            .where(TrainingJob.id == 2)
            .values(status="failed", error_kind=ErrorKind.CORRUPT.value)
        )
        conn.execute(update(TrainingSession).values(**sessions.recount(conn, session_id)))
    assert walked(session_id).back == 1
    assert len(jobs_in(JobStatus.PENDING)) == 1
    assert len(jobs_in(JobStatus.FAILED)) == 1


def test_renaming_everything_marks_the_old_names_because_as_many_are_new(root: Path) -> None:
    session_id = indexed(root)
    for path in list(root.rglob("*.jpg")):
        path.rename(path.with_stem(f"renamed {path.stem}"))
    summary = walked(session_id)
    assert (summary.moved, summary.new, summary.missing, summary.gone) == (5, 0, 0, 5)
    assert (summary.unchanged, summary.message) == (0, "")


def test_a_moved_file_is_moved_and_neither_new_nor_missing(root: Path) -> None:
    session_id = indexed(root)
    moved, gone, *_ = sorted(root.rglob("*.jpg"))
    (root / "elsewhere").mkdir()
    moved.rename(root / "elsewhere" / "other name.jpg")
    gone.unlink()
    (root / "new.jpg").write_bytes(b"another size")
    summary = walked(session_id)
    assert (summary.moved, summary.new, summary.missing, summary.unchanged) == (1, 1, 1, 3)
    assert summary.gone == 2


def test_a_worker_is_asked_for_what_has_only_moved_while_anything_is_missing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(session_walk, "enqueue_forgetting_of_moved", lambda: asked.append(True))
    session_id = indexed(root)
    walked(session_id)
    assert asked == []
    (root / "a" / "one.jpg").unlink()
    walked(session_id)
    walked(session_id)  # as the first of them may have broken off
    assert len(asked) == 2


def test_an_empty_folder_in_place_of_the_root_marks_nothing(root: Path) -> None:
    session_id = indexed(root)
    shutil.rmtree(root)
    root.mkdir()
    summary = walked(session_id)
    assert missing() == set()
    assert summary.message == (
        "5 of 5 pictures are not there. Perhaps a disk is not connected. Nothing was changed."
    )
    assert row_of(session_id).status == "completed"


def test_a_root_that_is_gone_marks_nothing_and_says_so(root: Path) -> None:
    session_id = indexed(root)
    shutil.rmtree(root)
    summary = walked(session_id)
    assert missing() == set()
    assert "does not exist" in summary.message
    assert UpdateSummary.model_validate(row_of(session_id).last_update).message == summary.message


def test_more_than_half_gone_marks_nothing(root: Path) -> None:
    session_id = indexed(root)
    shutil.rmtree(root / "b")
    summary = walked(session_id)
    assert missing() == set()
    assert summary.message.startswith("3 of 5 pictures are not there.")
    for name in ("six.jpg", "seven.jpg"):
        (root / "a" / name).touch()
    assert walked(session_id).missing == 3  # three of seven: that can be believed


def test_pictures_in_a_folder_that_cannot_be_read_are_spared(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = indexed(root)
    (root / "a" / "one.jpg").unlink()
    (root / "b" / "three.jpg").unlink()
    real = os.scandir

    def scandir(path: str) -> Any:
        if str(path) == str(root / "b"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    summary = walked(session_id)
    assert missing() == {"one.jpg"}
    assert summary.message.startswith("1 folder could not be read")


def test_a_file_that_nobody_can_ask_about_is_not_missing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = indexed(root)
    (root / "a" / "one.jpg").unlink()

    def lstat(path: str) -> Any:
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(os, "lstat", lstat)
    assert (walked(session_id).missing, missing()) == (0, set())


def test_a_file_that_is_only_left_out_now_is_not_missing(root: Path) -> None:
    session_id = indexed(root)
    with write_transaction() as conn:
        conn.execute(update(TrainingSession).values(config={"extensions": ["png"]}))
    assert (walked(session_id).missing, missing()) == (0, set())


# --- broken off -------------------------------------------------------------------------------


def test_a_walk_that_breaks_off_is_done_again_and_keeps_its_counts(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_walk, "FIRST_CHUNK", 2)
    monkeypatch.setattr(file_walk, "CHUNK", 2)
    session_id = indexed(root)
    for number in range(4):
        (root / f"new {number}.jpg").touch()
    (root / "a" / "one.jpg").unlink()
    steps = SessionWalk(session_id, UPDATED).steps()
    next(steps)
    next(steps)
    del steps  # the power goes here
    row = row_of(session_id)
    assert (row.status, row.discovered_at) == ("running", None)
    assert row.last_update["at"] is None
    with write_transaction() as conn:
        conn.execute(update(TrainingSession).values(discovery_beat_at=utc_now()))
    assert due_sessions() == []  # it may still be going on
    with write_transaction() as conn:
        conn.execute(update(TrainingSession).values(discovery_beat_at=utc_now().replace(year=2020)))
    assert due_sessions() == [session_id]
    summary = walked(session_id, STARTED)
    assert (summary.new, summary.missing, summary.unchanged) == (4, 1, 4)
    assert row_of(session_id).discovered_at is not None


def test_a_person_may_stop_an_update_and_what_was_found_is_kept(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_walk, "FIRST_CHUNK", 2)
    session_id = indexed(root)
    for number in range(4):
        (root / f"new {number}.jpg").touch()
    (root / "a" / "one.jpg").unlink()
    walk = SessionWalk(session_id, UPDATED)
    assert list(walk.steps(stop=lambda: True)) == [2]
    row = row_of(session_id)
    assert (row.status, row.total_images) == ("running", 7)
    assert row.discovered_at is not None  # so that the session can finish
    assert (missing(), walk.summary.message) == (set(), session_walk.STOPPED)


def test_a_broken_off_update_whose_root_is_away_now_lets_the_session_finish(
    root: Path,
) -> None:
    session_id = indexed(root)
    (root / "new.jpg").touch()
    steps = SessionWalk(session_id, UPDATED).steps()
    next(steps)
    del steps
    shutil.rmtree(root)
    assert "does not exist" in walked(session_id).message
    assert row_of(session_id).discovered_at is not None


def test_a_first_walk_of_a_root_that_is_away_is_refused(root: Path) -> None:
    session_id = new_session(root)
    shutil.rmtree(root)
    with pytest.raises(AppError, match="does not exist"):
        walked(session_id, STARTED)


def test_two_walks_at_once_enter_everything_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_walk, "FIRST_CHUNK", 2)
    session_id = indexed(root)
    for number in range(6):
        (root / f"new {number}.jpg").touch()
    walks = [SessionWalk(session_id, UPDATED) for _ in range(2)]
    one, two = (walk.steps() for walk in walks)
    for steps in (one, two, one, two):
        next(steps)
    assert not [*one, *two]
    assert [walk.found for walk in walks] == [11, 11]
    assert row_of(session_id).total_images == 11
    assert_counters(session_id)
    with get_sync_engine().connect() as conn:
        assert conn.scalar(select(func.count()).select_from(TrainingJob)) == 11


# --- the schedule -----------------------------------------------------------------------------


def test_only_finished_sessions_that_were_not_looked_at_for_long_are_due(root: Path) -> None:
    session_id = indexed(root)
    long_ago = utc_now().replace(year=2020)

    def change(**values: Any) -> list[int]:
        with write_transaction() as conn:
            conn.execute(update(TrainingSession).values(**values))
        return due_sessions()

    assert change(discovered_at=long_ago) == []
    assert change(config={"update_every_hours": 1}) == [session_id]
    looked = UpdateSummary(at=utc_now(), message="The folder is away.").model_dump(mode="json")
    assert change(last_update=looked) == []
    assert change(last_update=None, status="paused") == []
    assert change(status="completed", discovered_at=utc_now()) == []


# --- left out by now --------------------------------------------------------------------------


def excluded() -> set[str]:
    with get_sync_engine().connect() as conn:
        paths = conn.scalars(select(ImageAsset.path).where(ImageAsset.excluded))
        return {os.path.basename(path) for path in paths}


def use_patterns(session_id: int, *patterns: str) -> None:
    with write_transaction() as conn:
        conn.execute(
            update(TrainingSession)
            .where(TrainingSession.id == session_id)
            .values(config={"exclude": patterns})
        )


def test_what_was_indexed_and_is_left_out_by_now_is_told_and_no_longer_found(root: Path) -> None:
    session_id = indexed(root)
    use_patterns(session_id, "a/")
    summary = walked(session_id)
    assert (summary.left_out, summary.missing, summary.gone, summary.unchanged) == (2, 0, 0, 3)
    assert excluded() == jobs_in(JobStatus.CANCELLED) == {"one.jpg", "two.jpg"}
    assert row_of(session_id).skipped == {BY_PATTERN: 1}
    assert walked(session_id).left_out == 0


def test_thumbnails_of_a_disk_that_were_indexed_are_given_up_however_many(root: Path) -> None:
    thumbs = [root / "b" / "@eaDir" / f"{number}.jpg" for number in range(12)]
    with pytest.MonkeyPatch.context() as before:
        before.setattr(Exclusions, "of_folder", lambda *_: None)  # as it was once
        thumbs[0].parent.mkdir()
        for path in thumbs:
            path.touch()
        session_id = indexed(root)
    assert row_of(session_id).completed_images == 17
    summary = walked(session_id)
    assert (summary.left_out, summary.message) == (12, "")
    assert excluded() == {path.name for path in thumbs}
    assert row_of(session_id).completed_images == 5


def test_what_waits_or_failed_is_given_up_too_and_what_is_held_later(root: Path) -> None:
    session_id = indexed(root)
    with write_transaction() as conn:
        for job_id, status in ((1, "pending"), (2, "failed"), (3, "running")):
            conn.execute(update(TrainingJob).where(TrainingJob.id == job_id).values(status=status))
        counts = sessions.recount(conn, session_id)
        conn.execute(update(TrainingSession).values(status=SessionStatus.PAUSED.value, **counts))
    use_patterns(session_id, "*.jpg")
    assert walked(session_id).left_out == 4
    assert len(excluded()) == 4
    assert len(jobs_in(JobStatus.RUNNING)) == 1


def test_a_picture_that_another_session_has_is_still_found(root: Path) -> None:
    session_id, other = indexed(root), indexed(root)
    use_patterns(session_id, "a/")
    assert walked(session_id).left_out == 2
    assert excluded() == set()
    use_patterns(other, "one.jpg")
    assert walked(other).left_out == 1
    assert excluded() == {"one.jpg"}


def test_what_a_person_includes_again_stays(root: Path) -> None:
    session_id = indexed(root)
    use_patterns(session_id, "a/")
    walked(session_id)
    with write_transaction() as conn:
        conn.execute(update(ImageAsset).values(excluded=False))
    assert walked(session_id).left_out == 0
    assert excluded() == set()


def test_a_file_that_is_gone_is_missing_not_left_out(root: Path) -> None:
    session_id = indexed(root)
    use_patterns(session_id, "a/")
    (root / "a" / "one.jpg").unlink()
    summary = walked(session_id)
    assert (summary.left_out, summary.missing) == (1, 1)
    assert (excluded(), missing()) == ({"two.jpg"}, {"one.jpg"})


def test_a_new_session_says_what_was_excluded_before(root: Path) -> None:
    session_id = indexed(root)
    use_patterns(session_id, "a/")
    walked(session_id)
    other = new_session(root / "a")
    (root / "a" / "new.jpg").touch()
    walked(other, STARTED)
    row = row_of(other)
    assert (row.total_images, row.skipped) == (1, {EXCLUDED: 2})
