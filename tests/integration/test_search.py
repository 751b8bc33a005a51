"""Searching: from the service's call through the queue to the worker's store, and back."""

from __future__ import annotations

import asyncio
import os
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from drawing import Scene, captions, distinct_scenes, draw
from drawn_model import DRAWN_MODEL
from following import draw_pictures, finished, until
from PIL import Image
from sqlalchemy import select, update

from app.api.search_schemas import (
    SearchFilter,
    SearchHit,
    SearchQuery,
    SearchResultPage,
    SearchTerm,
)
from app.api.training_schemas import TrainingSessionCreate
from app.db.engine import get_sync_engine, write_transaction
from app.db.models import AssetVector, EmbeddingModel, ImageAsset
from app.db.types import utc_now
from app.errors import AppError
from app.queue.ask import WorkerAwayError
from app.runtime.supervisor import Supervisor
from app.services.backend import Backend
from app.services.search_service import MAX_RESULTS


@pytest.fixture
def scenes(tmp_path: Path) -> list[Scene]:
    """Thirty different scenes, drawn into ``pictures/a`` and ``pictures/b``, half each."""
    chosen = distinct_scenes(30, random.Random(5), held_out=True)
    for index, scene in enumerate(chosen):
        folder = tmp_path / "pictures" / ("a" if index % 2 else "b")
        folder.mkdir(parents=True, exist_ok=True)
        size, suffix = ((320, 200), "jpg") if index % 3 else ((200, 320), "png")
        draw(scene, size).save(folder / f"{index:03}.{suffix}")
    return chosen


@pytest.fixture
async def indexed(
    backend: Backend, supervisor: Supervisor, scenes: list[Scene], tmp_path: Path
) -> int:
    """The id of a finished session over all scenes."""
    assert (await index(backend, tmp_path / "pictures")).completed == len(scenes)
    return 1


async def index(backend: Backend, root: Path) -> object:
    async with backend.db() as db:
        data = TrainingSessionCreate(rootPath=str(root))
        session = await backend.training.create_session(db, data)
        await backend.training.enqueue_training(db, session.id)
    return (await finished(backend, session.id)).jobsSummary


async def search(
    backend: Backend, *terms: SearchTerm | str, offset: int = 0, limit: int = 200, **rest: object
) -> SearchResultPage:
    wanted = [SearchTerm(text=term) if isinstance(term, str) else term for term in terms]
    query = SearchQuery.model_validate({"terms": wanted, **rest})
    async with backend.db() as db:
        return await backend.search.search(db, query, offset=offset, limit=limit)


def names(page: SearchResultPage) -> list[str]:
    return [os.path.basename(hit.path) for hit in page.hits]


def number(page: SearchResultPage) -> int:
    """The number of the scene that ranks first."""
    return number_of(page.hits[0])


def number_of(hit: SearchHit) -> int:
    return int(os.path.basename(hit.path).split(".")[0])


@pytest.mark.early
@pytest.mark.usefixtures("indexed")
async def test_descriptions_and_examples_find_their_pictures(
    backend: Backend, scenes: list[Scene], tmp_path: Path
) -> None:
    async with backend.db() as db:
        await backend.search.prepare(db)
        (model,) = await backend.search.models(db)
    assert (model.spec, model.vectors, model.pictures, model.inUse) == (DRAWN_MODEL, 30, 30, True)

    found = [number(await search(backend, captions(scene)[0])) for scene in scenes]
    assert sum(index == place for place, index in enumerate(found)) >= 28

    everything = await search(backend, "a shape")
    for hit in everything.hits:
        alike = await search(backend, SearchTerm(assetId=hit.assetId))
        assert alike.hits[0].assetId == hit.assetId
        assert alike.hits[0].score == pytest.approx(1.0, abs=1e-4)

    copy = tmp_path / "elsewhere.jpg"
    draw(scenes[7], (300, 300)).save(copy)
    assert number(await search(backend, SearchTerm(path=str(copy)))) == 7

    # what is to be left out sinks
    term = captions(scenes[3])[0]
    mixed = await search(backend, "a shape", SearchTerm(text=term, weight=-1.0))
    plain = await search(backend, "a shape")
    own = f"{3:03}.png"
    assert names(mixed).index(own) > names(plain).index(own)


@pytest.mark.usefixtures("indexed")
async def test_thumbs_move_the_results(backend: Backend, scenes: list[Scene]) -> None:
    plain = await search(backend, "a shape")
    by_number = {number_of(hit): hit for hit in plain.hits}
    last = plain.hits[-1]

    def place(page: SearchResultPage, asset_id: int) -> int:
        return [hit.assetId for hit in page.hits].index(asset_id)

    liked = await search(backend, "a shape", liked=[last.assetId])
    assert place(liked, last.assetId) < 3  # it was the last of thirty
    both = await search(backend, "a shape", liked=[last.assetId], disliked=[plain.hits[0].assetId])
    first = plain.hits[0].assetId
    scores = [page.hits[place(page, first)].score for page in (liked, both)]
    assert scores[1] < scores[0]
    assert {liked.unused, both.unused} == {0}

    # without a query: like the one, then like two, whose mean is between them
    one = await search(backend, liked=[by_number[3].assetId])
    assert names(one) == names(await search(backend, SearchTerm(assetId=by_number[3].assetId)))
    two = await search(backend, liked=[by_number[3].assetId, by_number[8].assetId])
    assert {number_of(hit) for hit in two.hits[:2]} == {3, 8}

    # beside an example, and with pictures that are not there
    example = SearchTerm(assetId=by_number[3].assetId)
    some = await search(backend, example, liked=[by_number[8].assetId, 10_000], disliked=[10_001])
    assert {number_of(hit) for hit in some.hits[:2]} == {3, 8}
    assert some.unused == 2
    with pytest.raises(AppError, match="None of the pictures to be like is indexed"):
        await search(backend, liked=[10_000])
    with pytest.raises(AppError, match="There is nothing to search for"):
        await search(backend, disliked=[last.assetId])


@pytest.mark.usefixtures("indexed")
async def test_a_part_of_a_picture_finds_what_it_shows(
    backend: Backend, scenes: list[Scene], tmp_path: Path
) -> None:
    sheet = Image.new("RGB", (960, 640), "white")
    sheet.paste(draw(scenes[4], (320, 320)), (0, 0))
    sheet.paste(draw(scenes[7], (320, 320)), (640, 320))
    exif = Image.Exif()
    exif[0x0112] = 6  # a camera that was held upright: stored on its side
    path = tmp_path / "sheet.png"
    sheet.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)

    def part(*region: float) -> SearchTerm:
        return SearchTerm(path=str(path), region=region)

    assert number(await search(backend, part(0, 0, 1 / 3, 1 / 2))) == 4
    assert number(await search(backend, part(2 / 3, 1 / 2, 1, 1))) == 7
    with pytest.raises(AppError, match="too small to search for"):
        await search(backend, part(0.5, 0.5, 0.51, 0.9))


async def test_filters_pages_and_the_cut_off(
    backend: Backend, indexed: int, tmp_path: Path
) -> None:
    everything = await search(backend, "a shape")
    assert len(everything.hits) == 30
    assert everything.nextOffset is None
    scores = [hit.score for hit in everything.hits]
    assert scores == sorted(scores, reverse=True)

    pages = [await search(backend, "a shape", offset=start, limit=12) for start in (0, 12, 24)]
    assert [page.nextOffset for page in pages] == [12, 24, None]
    assert [hit for page in pages for hit in page.hits] == everything.hits
    assert (await search(backend, "a shape", offset=MAX_RESULTS)).hits == []

    cut = await search(backend, "a shape", minScore=scores[10])
    assert cut.hits == [hit for hit in everything.hits if hit.score >= scores[10]]

    async def ranked(**wanted: object) -> list[str]:
        return names(await search(backend, "a shape", filter=SearchFilter.model_validate(wanted)))

    def expected(keep: object) -> list[str]:
        assert callable(keep)
        return [os.path.basename(hit.path) for hit in everything.hits if keep(hit)]

    folder = str(tmp_path / "pictures" / "a")
    assert await ranked(folder=folder + os.sep) == expected(lambda hit: folder in hit.path)
    assert await ranked(folder=str(tmp_path)) == names(everything)
    assert await ranked(folder=str(tmp_path / "pic")) == []
    assert await ranked(formats=["PNG"]) == expected(lambda hit: hit.format == "PNG")
    assert await ranked(orientation="portrait") == expected(lambda hit: hit.height > hit.width)
    assert await ranked(sessionId=indexed) == names(everything)
    assert await ranked(sessionId=indexed + 1) == []
    today = datetime.now(UTC).date()  # no camera took these, so that their files' times count
    assert await ranked(takenFrom=today - timedelta(1)) == names(everything)
    assert await ranked(takenTo=today - timedelta(2)) == []

    # a second session over one of the folders: its pictures are in both
    await index(backend, tmp_path / "pictures" / "a")
    assert await ranked(sessionId=2) == expected(lambda hit: folder in hit.path)
    assert await ranked(sessionId=indexed) == names(everything)


@pytest.mark.usefixtures("indexed")
async def test_what_the_ledger_changes_reaches_the_filters(backend: Backend) -> None:
    with write_transaction() as conn:
        asset_id = conn.scalar(select(ImageAsset.id).limit(1))
        taken = datetime(2024, 5, 1, 23, 59, tzinfo=UTC)
        chosen = ImageAsset.id == asset_id
        conn.execute(update(ImageAsset).where(chosen).values(taken_at=taken))
        conn.execute(
            update(AssetVector).where(AssetVector.asset_id == asset_id).values(payload_stale=True)
        )

    async def fresh() -> bool:
        with get_sync_engine().connect() as conn:
            stale = select(AssetVector).where(AssetVector.payload_stale)
            return conn.execute(stale).first() is None

    await until(fresh)
    day = {"takenFrom": date(2024, 5, 1), "takenTo": date(2024, 5, 1)}
    page = await search(backend, "a shape", filter=SearchFilter.model_validate(day))
    assert [hit.assetId for hit in page.hits] == [asset_id]


@pytest.mark.usefixtures("indexed")
async def test_missing_and_excluded_pictures_are_not_shown(backend: Backend) -> None:
    first, second, *rest = (await search(backend, "a shape")).hits
    with write_transaction() as conn:
        for hit, values in ((first, {"missing_since": utc_now()}), (second, {"excluded": True})):
            conn.execute(update(ImageAsset).where(ImageAsset.id == hit.assetId).values(values))
    assert (await search(backend, "a shape")).hits == rest
    page = await search(backend, "a shape", limit=3)
    assert (page.hits, page.nextOffset) == (rest[:1], 3)


@pytest.mark.usefixtures("indexed")
@pytest.mark.parametrize(
    "text",
    ["a red circle " * 800, "赤い丸", "красный круг", "🔴", "\x00'); DROP TABLE", "a"],
    ids=["10,000 characters", "Japanese", "Russian", "emoji", "odd characters", "one letter"],
)
async def test_any_text_is_answered(backend: Backend, text: str) -> None:
    assert len((await search(backend, text[:10_000])).hits) == 30


@pytest.mark.usefixtures("indexed")
async def test_what_cannot_be_searched_for_is_said_plainly(
    backend: Backend, tmp_path: Path
) -> None:
    with pytest.raises(AppError, match="nothing to search for"):
        await search(backend, "  \n ")
    with pytest.raises(AppError, match="nothing to search for"):
        await search(backend)
    text = tmp_path / "notes.jpg"
    text.write_text("no picture")
    with pytest.raises(AppError, match=r"notes\.jpg cannot be used for a search"):
        await search(backend, SearchTerm(path=str(text)))
    with pytest.raises(AppError, match="no longer there"):
        await search(backend, SearchTerm(path=str(tmp_path / "gone.jpg")))
    with pytest.raises(AppError, match="not indexed with this model"):
        await search(backend, SearchTerm(assetId=12345))
    with pytest.raises(AppError, match="are the same"):
        await search(backend, "a circle", SearchTerm(text="a circle", weight=-1))
    with pytest.raises(AppError, match="no index of this model"):
        await search(backend, "a circle", modelId=77)
    with write_transaction() as conn:
        conn.execute(update(EmbeddingModel).values(collection="gone"))
    with pytest.raises(AppError, match=r"weights of this model"):
        await search(Backend(), "a circle")


async def test_a_search_before_anything_is_indexed(backend: Backend) -> None:
    with pytest.raises(AppError, match="No picture is indexed yet"):
        await search(backend, "a circle")
    async with backend.db() as db:
        assert await backend.search.models(db) == []
        await backend.search.prepare(db)


@pytest.mark.usefixtures("warm_workers")
async def test_a_search_while_the_worker_is_down_is_answered_once_it_is_back(
    backend: Backend, pictures: Path
) -> None:
    draw_pictures(pictures, 5, "few")
    runtime = Supervisor(lambda name: None)
    runtime.start()
    await index(backend, pictures)
    await asyncio.to_thread(runtime.stop)
    with pytest.raises(WorkerAwayError):
        await search(backend, "a circle")

    again = Supervisor(lambda name: None)
    again.start()
    try:

        async def answered() -> bool:
            try:
                return bool((await search(backend, "a circle")).hits)
            except WorkerAwayError:
                return False

        await until(answered)
    finally:
        await asyncio.to_thread(again.stop)
