"""An index that stays true: with the real worker, store and model."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from following import (
    draw_pictures,
    finished,
    progress_of,
    until,
    verify_with_own_store,
    worker_beside,
)
from sqlalchemy import func, select, update
from warm_processes import run_app, run_code

from app.api.file_schemas import ActProgress, ChosenFile
from app.api.search_schemas import SearchQuery, SearchTerm
from app.api.training_schemas import SessionConfig, TrainingSessionCreate
from app.api.update_schemas import UpdateSummary
from app.db.engine import get_sync_session, write_transaction
from app.db.models import AssetVector, ImageAsset, TrainingEvidence, TrainingSession
from app.db.types import utc_now
from app.runtime.supervisor import Supervisor
from app.services.backend import Backend

DIE_BEFORE_THE_STORE = """
import asyncio, os, sys
from app.services import update_service
update_service.remove_vectors = lambda *_, **__: os._exit(9)
from app.services.backend import Backend
async def prune():
    backend = Backend()
    async with backend.db() as db:
        await backend.updates.prune(db, int(sys.argv[1]))
asyncio.run(prune())
"""
DIE_WHILE_A_SESSION_IS_REMOVED = """
import asyncio, os, sys
from app.services import session_service, update_service
session_service.REMOVED_AT_ONCE = 8
steps, real = int(sys.argv[2]), session_service.remove_from_session
def remove_some(*_, **options):
    global steps
    steps -= 1
    return real(*_, **options) if steps >= 0 else os._exit(9)
session_service.remove_from_session = remove_some
update_service.remove_vectors = lambda *_, **__: os._exit(9)
from app.services.backend import Backend
async def remove():
    backend = Backend()
    async with backend.db() as db:
        await backend.sessions.remove(db, int(sys.argv[1]))
asyncio.run(remove())
"""


async def indexed(backend: Backend, root: Path, **options: object) -> int:
    async with backend.db() as db:
        session = await backend.training.create_session(
            db, TrainingSessionCreate(rootPath=str(root), **options)
        )
        await backend.training.enqueue_training(db, session.id)
    assert (await finished(backend, session.id)).status == "completed"
    return session.id


async def updated(backend: Backend, session_id: int) -> UpdateSummary:
    async with backend.db() as db:
        summary = await backend.updates.update(db, session_id)
    assert (await finished(backend, session_id)).status == "completed"
    return summary


def evidence(session_id: int) -> list[TrainingEvidence]:
    with get_sync_session() as db:
        return list(db.scalars(select(TrainingEvidence).filter_by(session_id=session_id)))


def gone() -> int:
    with get_sync_session() as db:
        return db.scalar(select(func.count()).where(ImageAsset.missing_since.is_not(None))) or 0


async def nothing_is_missing() -> bool:
    return not gone()


async def test_a_thousand_renamed_pictures_are_reused_and_none_is_looked_at_by_the_model(
    backend: Backend, supervisor: Supervisor, tmp_path: Path
) -> None:
    draw_pictures(tmp_path / "many", 1000, seed="rename")
    session_id = await indexed(backend, tmp_path / "many")
    tried = {row.id for row in evidence(session_id)}
    for path in list((tmp_path / "many").iterdir()):
        path.rename(path.with_stem(f"renamed {path.stem}"))
    summary = await updated(backend, session_id)
    assert (summary.moved, summary.new, summary.missing, summary.changed) == (1000, 0, 0, 0)
    await until(nothing_is_missing)
    last = await progress_of(backend, session_id)
    assert (last.progress.total, last.jobsSummary.reused) == (1000, 1000)
    assert last.lastUpdate is not None
    assert (last.lastUpdate.moved, last.lastUpdate.gone) == (1000, 0)
    fresh = evidence(session_id)
    assert len(fresh) == 1000
    assert not tried & {row.id for row in fresh}
    assert {row.note for row in fresh} == {"Same content as a picture that was indexed before."}
    supervisor.stop()
    report = verify_with_own_store()
    assert (report.problems, report.vectors) == ([], 1000)


async def test_a_changed_picture_is_embedded_again_and_a_new_one_added(
    backend: Backend, supervisor: Supervisor, pictures: Path
) -> None:
    session_id = await indexed(backend, pictures)
    sums = {row.job_id: row.embedding_checksum for row in evidence(session_id)}
    draw_pictures(pictures / "other", 2, seed="other")
    shutil.move(pictures / "other" / "00000.jpg", pictures / "family" / "00003.jpg")
    summary = await updated(backend, session_id)
    assert (summary.new, summary.changed, summary.unchanged) == (1, 1, 39)
    again = [row for row in evidence(session_id) if row.attempt == 2]
    assert len(again) == 1
    assert again[0].embedding_checksum != sums[again[0].job_id]
    progress = await progress_of(backend, session_id)
    assert (progress.jobsSummary.completed, progress.jobsSummary.reused) == (41, 0)
    supervisor.stop()
    assert verify_with_own_store().problems == []


async def test_a_removed_session_leaves_the_vectors_of_others_and_none_of_its_own(
    backend: Backend, supervisor: Supervisor, pictures: Path
) -> None:
    whole = await indexed(backend, pictures)
    part = await indexed(backend, pictures / "family")
    number = (await progress_of(backend, part)).progress.total
    async with backend.db() as db:
        assert await backend.sessions.remove(db, whole) == 40
        hits = (await backend.search.search(db, SearchQuery(terms=[SearchTerm(text="red")]))).hits
    assert len(hits) == number
    await until(payloads_are_true)
    supervisor.stop()
    report = verify_with_own_store()
    assert (report.problems, report.vectors, report.sessions) == ([], number, 1)


async def payloads_are_true() -> bool:
    with get_sync_session() as db:
        return not db.scalar(select(func.count()).where(AssetVector.payload_stale))


async def test_a_picture_that_moves_to_another_sessions_folder_is_shown_once(
    backend: Backend, supervisor: Supervisor, pictures: Path
) -> None:
    family = await indexed(backend, pictures / "family")
    vacation = await indexed(backend, pictures / "vacation")
    moved = pictures / "vacation" / "moved.jpg"
    (pictures / "family" / "00000.jpg").rename(moved)
    assert (await updated(backend, vacation)).new == 1
    assert (await updated(backend, family)).missing == 1  # by then its content is elsewhere
    await until(nothing_is_missing)
    assert (await progress_of(backend, family)).progress.total == 19
    last = (await progress_of(backend, family)).lastUpdate
    assert last is not None
    assert (last.moved, last.missing, last.gone) == (1, 0, 0)
    moved.rename(pictures / "family" / "back.jpg")
    assert (await updated(backend, vacation)).missing == 1
    assert gone() == 1  # nobody has seen yet where it is
    assert (await updated(backend, family)).new == 1
    await until(nothing_is_missing)
    assert (await progress_of(backend, vacation)).progress.total == 20
    supervisor.stop()
    report = verify_with_own_store()
    assert (report.problems, report.vectors) == ([], 40)


async def test_a_copy_on_a_disk_that_is_away_is_kept(
    backend: Backend, supervisor: Supervisor, pictures: Path
) -> None:
    session_id = await indexed(backend, pictures)
    shutil.copytree(pictures / "family", pictures / "backup")
    assert (await updated(backend, session_id)).new == 20
    away = (pictures / "backup").rename(pictures.with_name("away"))
    assert (await updated(backend, session_id)).missing == 20
    draw_pictures(pictures / "later", 1, seed="later")
    assert (await updated(backend, session_id)).gone == 20  # and its run has looked for them
    assert gone() == 20
    away.rename(pictures / "backup")
    summary = await updated(backend, session_id)
    assert (summary.back, summary.new) == (20, 0)


async def test_a_copy_that_the_program_makes_is_indexed_at_once(
    backend: Backend, supervisor: Supervisor, pictures: Path
) -> None:
    session_id = await indexed(backend, pictures)
    path = str(pictures / "family" / "00000.jpg")
    with get_sync_session() as db:
        asset_id = db.scalars(select(ImageAsset.id).filter_by(path=path)).one()
    chosen, folder = [ChosenFile(asset_id, path)], str(pictures / "vacation")
    async with backend.db() as db:
        result = await backend.files.copy(db, chosen, folder, ActProgress())
    assert len(result.done) == 1

    async def listed() -> bool:
        async with backend.db() as db:
            return (await backend.library.duplicates.groups(db, None, "exact")).count == 1

    await until(listed)
    progress = await finished(backend, session_id)
    assert (progress.progress.total, progress.jobsSummary.reused) == (41, 1)
    assert progress.lastUpdate is None


async def test_an_unmounted_root_loses_nothing(
    backend: Backend, supervisor: Supervisor, pictures: Path
) -> None:
    session_id = await indexed(backend, pictures)
    away = pictures.rename(pictures.with_name("away"))
    assert "does not exist" in (await updated(backend, session_id)).message
    pictures.mkdir()
    assert "Perhaps a disk is not connected." in (await updated(backend, session_id)).message
    assert gone() == 0
    pictures.rmdir()
    away.rename(pictures)
    summary = await updated(backend, session_id)
    assert (summary.unchanged, summary.message) == (40, "")
    assert len(evidence(session_id)) == 40
    supervisor.stop()
    assert verify_with_own_store().problems == []


async def test_a_kill_between_ledger_and_store_leaves_vectors_that_the_next_start_removes(
    backend: Backend, supervisor: Supervisor, pictures: Path
) -> None:
    session_id = await indexed(backend, pictures)
    for number in range(5):
        (pictures / "family" / f"0000{number}.jpg").unlink()
    assert (await updated(backend, session_id)).missing == 5
    assert await asyncio.to_thread(run_code, DIE_BEFORE_THE_STORE, str(session_id)) == 9
    assert (await progress_of(backend, session_id)).progress.total == 35
    supervisor.stop()
    (problem,) = verify_with_own_store().problems
    assert problem.startswith("I2: 5 vectors")
    await start_once()
    report = verify_with_own_store()
    assert (report.problems, report.vectors) == ([], 35)


@pytest.mark.parametrize(("steps", "left"), [(2, 24), (100, 0)], ids=["midway", "before the store"])
async def test_a_kill_while_a_session_is_removed_leaves_what_the_next_start_puts_right(
    backend: Backend, supervisor: Supervisor, pictures: Path, steps: int, left: int
) -> None:
    whole = await indexed(backend, pictures)
    part = await indexed(backend, pictures / "family")
    shared = (await progress_of(backend, part)).progress.total
    removing = (DIE_WHILE_A_SESSION_IS_REMOVED, str(whole), str(steps))
    assert await asyncio.to_thread(run_code, *removing) == 9
    supervisor.stop()
    await start_once()
    report = verify_with_own_store()
    assert report.problems == []
    with get_sync_session() as db:
        sizes = dict(db.execute(select(TrainingSession.id, TrainingSession.total_images)).all())
        assert report.vectors == db.scalar(select(func.count(ImageAsset.id)))
    assert sizes == ({whole: left, part: shared} if left else {part: shared})


async def start_once() -> None:
    """Start the program, and end it as soon as it works."""
    async with worker_beside():
        pass


async def test_a_moved_root_is_updated_without_a_look_at_any_picture(
    backend: Backend, supervisor: Supervisor, pictures: Path, tmp_path: Path
) -> None:
    odd = os.fsdecode(b"caf\xe9 100%_")
    (pictures / "family").rename(pictures / odd)
    session_id = await indexed(backend, pictures)
    new = tmp_path / "new place"
    shutil.copytree(pictures, new)  # the times are kept …
    for path in (new / "vacation").iterdir():
        os.utime(path)  # … of one half
    shutil.rmtree(pictures)
    async with backend.db() as db:
        assert await backend.updates.relocate(db, session_id, str(new)) == 40
    summary = await updated(backend, session_id)
    assert (summary.unchanged, summary.changed, summary.new, summary.missing) == (20, 20, 0, 0)
    progress = await progress_of(backend, session_id)
    assert (progress.jobsSummary.completed, progress.jobsSummary.reused) == (40, 20)
    supervisor.stop()
    assert verify_with_own_store().problems == []


async def test_the_worker_updates_by_itself_what_is_due(
    backend: Backend, supervisor: Supervisor, pictures: Path
) -> None:
    config = SessionConfig(update_every_hours=1)
    session_id = await indexed(backend, pictures, config=config)
    draw_pictures(pictures / "later", 3, seed="later")
    with write_transaction() as conn:
        conn.execute(update(TrainingSession).values(discovered_at=utc_now() - timedelta(hours=2)))

    async def done() -> bool:
        progress = await progress_of(backend, session_id)
        return progress.status == "completed" and progress.jobsSummary.completed == 43

    await until(done)
    last = (await progress_of(backend, session_id)).lastUpdate
    assert last is not None
    assert (last.new, last.unchanged) == (3, 40)


async def test_an_update_that_broke_off_in_the_worker_is_done_again(
    backend: Backend, supervisor: Supervisor, pictures: Path
) -> None:
    from app.scan.session_walk import UPDATED, SessionWalk

    session_id = await indexed(backend, pictures)
    draw_pictures(pictures / "later", 3, seed="later")
    steps = SessionWalk(session_id, UPDATED).steps()
    await asyncio.to_thread(next, steps)
    del steps  # as after a power cut: the session runs, its walk never ended
    with write_transaction() as conn:
        silent = utc_now() - timedelta(minutes=10)
        conn.execute(update(TrainingSession).values(discovery_beat_at=silent))
    progress = await finished(backend, session_id)
    assert (progress.status, progress.jobsSummary.completed) == ("completed", 43)


async def test_the_command_updates_indexes_and_removes(
    backend: Backend, supervisor: Supervisor, pictures: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    session_id = await indexed(backend, pictures)
    supervisor.stop()
    draw_pictures(pictures / "later", 3, seed="later")
    (pictures / "family" / "00000.jpg").unlink()

    async def run(*arguments: str) -> tuple[int, str]:
        done = await asyncio.to_thread(run_app, "update", str(session_id), *arguments)
        return done.returncode, done.stdout

    code, said = await run()
    assert code == 0
    assert "3 new, 1 missing, 39 unchanged." in said
    assert "43 of 43 pictures indexed" in said
    async with worker_beside():
        code, said = await run("--prune")
        assert code == 1  # nobody can be asked
        assert "1 of 43 pictures are gone" in said
        code, said = await run("--prune", "--yes", "--json")
    answer = json.loads(said)
    assert (code, answer["unchanged"], answer["removed"]) == (0, 42, 1)
    assert verify_with_own_store().problems == []
