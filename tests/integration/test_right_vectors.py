"""Every picture has the vector of what its file shows, whatever happens to files and workers."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import distinct_scenes, draw
from drawn_model import DRAWN_MODEL
from safetensors.numpy import load_file, save_file
from sqlalchemy import delete, select, update

from app.api.search_schemas import SearchQuery, SearchTerm
from app.api.training_schemas import LedgerReport, SessionConfig, TrainingSessionCreate
from app.db import sessions
from app.db.engine import get_sync_engine, open_db, write_transaction
from app.db.models import (
    AssetVector,
    EmbeddingModel,
    ImageAsset,
    SessionStatus,
    TrainingEvidence,
    TrainingJob,
    TrainingSession,
)
from app.db.settle import expire_leases
from app.pictures.decode import decode, read_file
from app.queue.questions import CheckLedgerRequest
from app.scan.session_walk import STARTED, UPDATED, SessionWalk
from app.services.search_service import SearchService
from app.services.training_service import TrainingService
from app.vectors.protocol import VectorPoint
from app.worker import search
from app.worker.context import context
from app.worker.indexing import run as session_run
from app.worker.indexing.run import SessionRun
from app.worker.indexing.stages import Stages
from app.worker.maintenance import ledger_check, ledger_repair
from app.worker.maintenance.ledger_check import verify_ledger
from app.worker.maintenance.verify import check_ledger

pytestmark = pytest.mark.usefixtures("own_worker")
PICTURES = 24
SCENES = distinct_scenes(3 * PICTURES, random.Random(11))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Drawn pictures that all differ."""
    made = tmp_path / "pictures"
    made.mkdir()
    for number in range(PICTURES):
        paint(made / f"{number:03}.png", number)
    return made


def paint(path: Path, scene: int) -> None:
    draw(SCENES[scene], 64).save(path)


async def indexed(folder: Path, **config: Any) -> int:
    model = config.pop("model", None)
    async with open_db() as db:
        session = await TrainingService().create_session(
            db,
            TrainingSessionCreate(
                rootPath=str(folder), model=model, config=SessionConfig(batch_size=8, **config)
            ),
        )
    await asyncio.to_thread(walk, session.id, STARTED)
    await asyncio.to_thread(run, session.id)
    return session.id


def walk(session_id: int, may_start: Any = UPDATED) -> None:
    for _ in SessionWalk(session_id, may_start).steps():
        pass


def run(session_id: int) -> dict[str, int]:
    return SessionRun(session_id, context()).run()


def status_of(session_id: int) -> str:
    with get_sync_engine().connect() as conn:
        return str(
            conn.scalar(select(TrainingSession.status).where(TrainingSession.id == session_id))
        )


def wrong_pictures(model: str = DRAWN_MODEL) -> list[str]:
    """Files whose stored vector is not what the model makes of them, looked at one by one."""
    encoder, store = context().encoder(model), context().store
    with get_sync_engine().connect() as conn:
        files = conn.execute(
            select(ImageAsset.id, ImageAsset.path).where(ImageAsset.missing_since.is_(None))
        ).all()
    stored = store.vectors(encoder.collection, [file.id for file in files])
    wrong = []
    for file in files:
        seen = decode(read_file(file.path), file.path, encoder.pixels, 200).pixels
        if float(encoder.encode_images(seen[None])[0] @ stored[file.id]) < 0.999:
            wrong.append(os.path.basename(file.path))
    return wrong


async def test_renumbered_files_keep_their_own_vectors(folder: Path) -> None:
    session_id = await indexed(folder)
    shift = 5
    for number in reversed(range(PICTURES)):
        os.rename(folder / f"{number:03}.png", folder / f"{number + shift:03}.png")
    for number in range(shift):
        paint(folder / f"{number:03}.png", PICTURES + number)
    await asyncio.to_thread(walk, session_id)
    await asyncio.to_thread(run, session_id)
    assert wrong_pictures() == []
    assert verify_ledger(context().store).problems == []


async def test_an_original_that_is_kept_beside_its_edited_copy_keeps_its_vector(
    folder: Path,
) -> None:
    session_id = await indexed(folder)
    for number in range(10):
        shutil.copy2(folder / f"{number:03}.png", folder / f"{number:03}-original.png")
        paint(folder / f"{number:03}.png", PICTURES + number)
    await asyncio.to_thread(walk, session_id)
    await asyncio.to_thread(run, session_id)
    assert wrong_pictures() == []


async def test_a_kill_between_store_and_ledger_gives_no_copy_another_pictures_vector(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await indexed(folder)
    shutil.copy2(folder / "000.png", folder / "zzz.png")
    paint(folder / "000.png", PICTURES)
    await asyncio.to_thread(walk, session_id)

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:  # the changed picture is stored, and nothing more
        patch.setattr(session_run, "settle", die)
        first = next(iter(await asyncio.to_thread(pending, session_id)))
        with pytest.raises(Killed):
            await asyncio.to_thread(SessionRun(session_id, context()).run_batch, [first])
    with write_transaction() as conn:
        expire_leases(conn, dead_workers=[context().name])
    await asyncio.to_thread(run, session_id)
    assert wrong_pictures() == []
    assert verify_ledger(context().store).problems == []


def pending(session_id: int) -> list[int]:
    with get_sync_engine().connect() as conn:
        return list(
            conn.scalars(
                select(TrainingJob.asset_id)
                .where(TrainingJob.session_id == session_id, TrainingJob.status == "pending")
                .order_by(TrainingJob.id)
            )
        )


@pytest.mark.parametrize("asleep", ["before the store", "within the store"])
async def test_a_worker_that_wakes_up_too_late_overwrites_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, asleep: str
) -> None:
    """Its lease ran out, another worker embedded what the files are now, and then it goes on."""
    session_id = await indexed(folder)
    real = Stages.begin_store if asleep == "before the store" else Stages.put
    slept = False

    def others_work(*arguments: Any) -> Any:
        nonlocal slept
        if slept:
            return real(*arguments)
        slept = True
        with write_transaction() as conn:
            expire_leases(conn, dead_workers=[context().name])
        for number in range(PICTURES):
            paint(folder / f"{number:03}.png", PICTURES + number)
        walk(session_id)
        other = SessionRun(session_id, context())
        other.run()
        return real(*arguments)

    for number in range(PICTURES):
        paint(folder / f"{number:03}.png", 2 * PICTURES + number)
    await asyncio.to_thread(walk, session_id)
    monkeypatch.setattr(Stages, real.__name__, others_work)
    await asyncio.to_thread(run, session_id)
    assert slept
    assert wrong_pictures() == []
    assert verify_ledger(context().store).problems == []


async def test_what_a_late_worker_stores_of_a_removed_picture_is_taken_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await indexed(folder)
    paint(folder / "000.png", PICTURES)
    await asyncio.to_thread(walk, session_id)
    real = Stages.put

    def removed_meanwhile(stages: Stages, pictures: Any) -> None:
        with write_transaction() as conn:
            ids = [picture.job.asset_id for picture in pictures]
            for table in (AssetVector, TrainingEvidence, TrainingJob):
                conn.execute(delete(table).where(table.asset_id.in_(ids)))
        real(stages, pictures)

    monkeypatch.setattr(Stages, "put", removed_meanwhile)
    await asyncio.to_thread(run, session_id)
    store, collection = context().store, context().encoder(DRAWN_MODEL).collection
    assert store.count(collection) == PICTURES - 1


async def test_check_and_repair_beside_a_running_session_find_nothing_and_lose_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repair at each step of each batch; the session comes to its end all the same."""
    answers: list[LedgerReport] = []

    def repaired_after(real: Callable[..., Any]) -> Callable[..., Any]:
        def both(*arguments: Any, **named: Any) -> Any:
            answer = real(*arguments, **named)
            answers.append(check_ledger(CheckLedgerRequest(repair=True)))
            return answer

        return both

    monkeypatch.setattr(Stages, "begin_store", repaired_after(Stages.begin_store))
    monkeypatch.setattr(Stages, "put", repaired_after(Stages.put))
    session_id = await indexed(folder)
    assert len(answers) == 2 * len([4, 8, 8, 4])  # a run begins with a small batch
    assert [answer.problems for answer in answers] == [[]] * len(answers)
    assert sum(answer.repaired for answer in answers) == 0
    assert status_of(session_id) == "completed"
    assert verify_ledger(context().store).problems == []


async def test_a_repair_leaves_a_paused_session_paused(folder: Path) -> None:
    session_id = await indexed(folder)
    with write_transaction() as conn:
        conn.execute(update(TrainingSession).values(status=SessionStatus.PAUSED.value))
    store, collection = context().store, context().encoder(DRAWN_MODEL).collection
    store.delete(collection, [1, 2])
    report = await asyncio.to_thread(check_ledger, CheckLedgerRequest(repair=True))
    assert (report.repaired, report.problems) == (2, [])
    assert status_of(session_id) == "paused"
    with write_transaction() as conn:
        sessions.move_session(conn, session_id, SessionStatus.RUNNING)
    await asyncio.to_thread(run, session_id)
    assert store.count(collection) == PICTURES


async def test_the_check_finds_another_pictures_vector_and_repair_indexes_it_again(
    folder: Path,
) -> None:
    session_id = await indexed(folder)
    store, collection = context().store, context().encoder(DRAWN_MODEL).collection
    (other,) = store.vectors(collection, [5]).values()
    store.upsert(collection, [VectorPoint(3, other, {})])
    assert "1 vectors of" in str(verify_ledger(store).problems)
    report = await asyncio.to_thread(check_ledger, CheckLedgerRequest(repair=True))
    assert report.repaired == 1
    assert status_of(session_id) == "running"
    await asyncio.to_thread(run, session_id)
    assert wrong_pictures() == []
    assert status_of(session_id) == "completed"
    assert verify_ledger(store).problems == []


async def test_a_sample_finds_what_ledger_and_store_agree_on_and_is_wrong_all_the_same(
    folder: Path,
) -> None:
    session_id = await indexed(folder)
    store, collection = context().store, context().encoder(DRAWN_MODEL).collection
    (other,) = store.vectors(collection, [5]).values()
    store.upsert(collection, [VectorPoint(3, other, {})])
    with write_transaction() as conn:  # as programs of before wrote it
        conn.execute(
            update(AssetVector)
            .where(AssetVector.asset_id == 3)
            .values(checksum=ledger_check.vector_checksum(other))
        )
    assert verify_ledger(store).problems == []
    found = await asyncio.to_thread(check_ledger, CheckLedgerRequest(sample=PICTURES))
    assert found.sampled == PICTURES
    assert "1 of 24 pictures" in str(found.problems)
    mended = await asyncio.to_thread(check_ledger, CheckLedgerRequest(repair=True, sample=PICTURES))
    assert mended.repaired == 1
    await asyncio.to_thread(run, session_id)
    assert wrong_pictures() == []


async def test_a_sample_leaves_out_files_that_changed(folder: Path) -> None:
    await indexed(folder)
    paint(folder / "000.png", PICTURES)
    (folder / "001.png").unlink()
    found = await asyncio.to_thread(check_ledger, CheckLedgerRequest(sample=2 * PICTURES))
    assert (found.sampled, found.problems) == (PICTURES - 2, [])


async def test_a_store_that_broke_off_and_that_nobody_repeats_is_forgotten(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await indexed(folder)
    second = await indexed(folder)
    paint(folder / "000.png", PICTURES)
    await asyncio.to_thread(walk, second)

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(session_run, "settle", die)
        with pytest.raises(Killed):
            await asyncio.to_thread(SessionRun(second, context()).run_batch, pending(second))
    with write_transaction() as conn:
        sessions.move_session(conn, second, SessionStatus.CANCELLED)
        expire_leases(conn, dead_workers=[context().name])
    assert "never completely stored" in str(verify_ledger(context().store).problems)
    assert await asyncio.to_thread(ledger_repair.undo_broken_stores) == 1
    assert status_of(session_id) == "running"  # it had this picture, too
    await asyncio.to_thread(run, session_id)
    assert wrong_pictures() == []
    assert verify_ledger(context().store).problems == []


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A checkpoint folder of a person's own."""
    return Path(shutil.copytree(DRAWN_MODEL, tmp_path / "my-model"))


def retrain(model: Path) -> None:
    """Other weights under the same name."""
    file = model / "open_clip_model.safetensors"
    weights = load_file(file)
    name = next(name for name, values in weights.items() if values.ndim == 2)
    weights[name] = np.ascontiguousarray(weights[name] * 1.01).astype(weights[name].dtype)
    save_file(weights, file)


async def test_new_weights_under_the_same_name_have_every_picture_indexed_again(
    folder: Path, model: Path
) -> None:
    session_id = await indexed(folder, model=str(model))
    other = await indexed(folder, model=str(model))
    retrain(model)
    context().close()
    context.cache_clear()
    paint(folder / "new.png", PICTURES)
    await asyncio.to_thread(walk, session_id)
    counts = await asyncio.to_thread(run, session_id)
    assert counts["processed"] == PICTURES + 1
    assert status_of(session_id) == "completed"
    assert status_of(other) == "running"
    await asyncio.to_thread(run, other)
    assert wrong_pictures(str(model)) == []
    with get_sync_engine().connect() as conn:
        newest = conn.scalar(select(EmbeddingModel.id).order_by(EmbeddingModel.id.desc()))
        used = set(conn.scalars(select(TrainingSession.model_id)))
    assert used == {newest}
    assert verify_ledger(context().store).problems == []


async def test_a_search_that_meets_new_weights_has_its_pictures_indexed_with_them(
    folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await indexed(folder, model=str(model))
    retrain(model)
    context().close()
    context.cache_clear()

    monkeypatch.setattr("app.services.search_service.find", search.find)
    query = SearchQuery(terms=[SearchTerm(text="a red circle")])
    async with open_db() as db:
        with pytest.raises(Exception, match="weights of this model have changed"):
            await SearchService().search(db, query)
    assert status_of(session_id) == "running"
    await asyncio.to_thread(run, session_id)
    async with open_db() as db:
        assert (await SearchService().search(db, query)).hits


async def test_a_payload_that_is_written_beside_a_store_overwrites_no_vector(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.worker.maintenance.payloads import refresh_payloads

    session_id = await indexed(folder)
    with write_transaction() as conn:
        conn.execute(update(AssetVector).values(payload_stale=True))
    for number in range(PICTURES):
        paint(folder / f"{number:03}.png", PICTURES + number)
    await asyncio.to_thread(walk, session_id)
    real = Stages.put

    def beside(stages: Stages, pictures: Any) -> None:
        refresh = threading.Thread(target=refresh_payloads)
        refresh.start()
        real(stages, pictures)
        refresh.join()

    monkeypatch.setattr(Stages, "put", beside)
    await asyncio.to_thread(run, session_id)
    assert wrong_pictures() == []
    with get_sync_engine().connect() as conn:
        assert not conn.scalars(select(AssetVector.asset_id).where(AssetVector.payload_stale)).all()
