"""Find pictures by descriptions and examples; the worker ranks, the ledger says what they are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any

from sqlalchemy import CompoundSelect, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.search_schemas import (
    Restriction,
    SearchFilter,
    SearchHit,
    SearchModel,
    SearchQuery,
    SearchResultPage,
)
from app.config import get_settings, save_setting
from app.db.models import (
    AssetVector,
    EmbeddingModel,
    ImageAsset,
    NearDuplicate,
    SessionStatus,
    TrainingSession,
)
from app.db.types import path_to_text
from app.embedding.catalogue import model_title
from app.errors import AppError
from app.queue.questions import FindAnswer, FindRequest, PrepareRequest, find, prepare
from app.services.duplicate_service import originals_first
from app.services.picture_filter import ids_by_name, named_conditions, wanted_folders

MAX_RESULTS = 10_000
MOST_NAMED = 60
"""Pictures found by their names, above those found by what they show."""
COUNTED_AGAIN_AFTER_S = 5.0
"""Counting a million vectors takes a while, so a page that shows the counts gets them this old."""
CHOSEN_AGAIN_AFTER_S = 60.0
"""How old they may be for the choice of the model that a question goes to."""
COMPLETE_SHARE = 0.99
"""The newest model that can find this share of what the fullest one can is searched with."""


@dataclass(frozen=True, slots=True)
class _Known:
    model: SearchModel
    collection: str


class SearchService:
    """Questions about pictures."""

    def __init__(self) -> None:
        self._known: list[_Known] = []
        self._known_at = self._changed_at = 0.0

    async def models(self, db: AsyncSession) -> list[SearchModel]:
        """The models that pictures are indexed with, the newest first; one of them is in use."""
        return [known.model for known in await self._models(db, COUNTED_AGAIN_AFTER_S)]

    def count_again(self) -> None:
        """Pictures were thrown away, or are back: the next look at the models counts anew."""
        self._changed_at = time.monotonic()

    async def use(self, db: AsyncSession, model_id: int) -> None:
        """Search with this model from now on.

        Raises:
            AppError: there is no such model.
        """
        known = await self._choose(db, model_id)
        await asyncio.to_thread(save_setting, "search_model", known.collection)
        self._known = []

    async def prepare(self, db: AsyncSession, model_id: int | None = None) -> None:
        """Have the model in memory before the first question comes; nothing where none is there.

        Args:
            model_id: None: the model in use, as in a query.

        Raises:
            WorkerAwayError: no worker answered in time; it may still be loading.
            AppError: the model cannot be loaded.
        """
        if await self._models(db, CHOSEN_AGAIN_AFTER_S):
            used = await self._choose(db, model_id)
            request = PrepareRequest(model=used.model.spec, collection=used.collection)
            await asyncio.to_thread(prepare, request)

    async def search(
        self, db: AsyncSession, query: SearchQuery, *, offset: int = 0, limit: int = 200
    ) -> SearchResultPage:
        """The pictures nearest to a query, best first; up to ``MAX_RESULTS`` of them in pages.

        Raises:
            WorkerAwayError: no worker answered in time.
            AppError: the query is empty, a term is no picture that can be read, nothing is
                indexed, the model is gone, or it knows none of the pictures to be like.
        """
        terms = [term for term in query.terms if term.text is None or term.text.strip()]
        if not any(term.weight for term in terms) and not query.liked:
            raise AppError("There is nothing to search for.", "Describe a picture, or drop one.")
        known = await self._choose(db, query.modelId)
        limit = min(limit, MAX_RESULTS - offset)
        found = FindAnswer(hits=[])
        await db.commit()
        folders = await wanted_folders(db, query.filter)
        if limit > 0 and folders != []:
            request = FindRequest(
                model=known.model.spec,
                collection=known.collection,
                terms=terms,
                liked=query.liked,
                disliked=query.disliked,
                restriction=_restriction(query.filter, folders or []),
                min_score=query.minScore,
                limit=limit,
                offset=offset,
                likely_only=query.likelyOnly,
            )
            found = await asyncio.to_thread(find, request)
        following = offset + limit
        return SearchResultPage(
            hits=await _hits(db, found.hits, query.filter, known.model.modelId),
            nextOffset=following if limit == len(found.hits) and following < MAX_RESULTS else None,
            modelId=known.model.modelId,
            known=found.known,
            leftOut=found.left_out,
            unused=found.unused,
        )

    async def named(
        self, db: AsyncSession, text: str, only: SearchFilter, limit: int = MOST_NAMED
    ) -> list[SearchHit]:
        """Pictures in whose name, or that of a folder, all words of a text begin words."""
        await db.commit()
        words = text.split()
        found = await ids_by_name(db, words, only, limit) if words else []
        used = next((item.model.modelId for item in self._known if item.model.inUse), 0)
        hits = await _hits(db, [(asset_id, 0.0) for asset_id in found], only, used)
        return [hit.model_copy(update={"named": True}) for hit in hits]

    async def _choose(self, db: AsyncSession, model_id: int | None) -> _Known:
        models = await self._models(db, CHOSEN_AGAIN_AFTER_S)
        if not models:
            raise AppError("No picture is indexed yet.", "Choose a folder and start a session.")
        for known in models:
            if known.model.inUse if model_id is None else known.model.modelId == model_id:
                return known
        raise AppError("There is no index of this model any more.", "Choose another model.")

    async def _models(self, db: AsyncSession, not_older_s: float) -> list[_Known]:
        begun, known_at = time.monotonic(), self._known_at
        if not self._known or begun - known_at > not_older_s or known_at <= self._changed_at:
            self._known = await _look_at_models(db)
            self._known_at = begun
        return self._known


async def _look_at_models(db: AsyncSession) -> list[_Known]:
    await db.commit()
    rows = await _current_models(db)
    pictures = await _count_pictures(db)
    counted = [(row, await _count_vectors(db, row.id)) for row in rows]
    counted = [(row, vectors) for row, vectors in counted if vectors]
    used = _in_use(counted)
    return [
        _Known(
            SearchModel(
                modelId=row.id,
                spec=row.spec,
                title=model_title(row.spec),
                dimension=row.dimension,
                vectors=vectors,
                pictures=max(pictures, vectors),
                inUse=row.id == used,
            ),
            row.collection,
        )
        for row, vectors in counted
    ]


async def _current_models(db: AsyncSession) -> list[EmbeddingModel]:
    """The newest first, without weights that others of the same name have taken the place of."""
    rows = (await db.execute(select(EmbeddingModel).order_by(EmbeddingModel.id.desc()))).scalars()
    kept = select(TrainingSession.model_id).where(
        TrainingSession.model_id.is_not(None), TrainingSession.status != SessionStatus.CANCELLED
    )
    used = set((await db.execute(kept.distinct())).scalars())
    models = list(rows)
    replaced = {row.spec for row in models if row.id in used}
    return [row for row in models if row.id in used or row.spec not in replaced]


def _in_use(counted: Sequence[tuple[EmbeddingModel, int]]) -> int | None:
    """The chosen model, or the newest that is about as complete as the fullest."""
    fullest = max((vectors for _, vectors in counted), default=0)
    for row, _ in counted:
        if row.collection == get_settings().search_model:
            return row.id
    for row, vectors in counted:
        if vectors >= COMPLETE_SHARE * fullest:
            return row.id
    return None


async def _count_pictures(db: AsyncSession) -> int:
    """Pictures that are neither missing nor excluded."""
    everything = await db.scalar(select(func.count()).select_from(ImageAsset))
    hidden = await db.scalar(select(func.count()).select_from(_hidden().subquery()))
    return (everything or 0) - (hidden or 0)


async def _count_vectors(db: AsyncSession, model_id: int) -> int:
    """Pictures that can be found with a model."""
    everything = await db.scalar(select(func.count()).where(AssetVector.model_id == model_id))
    hidden = await db.scalar(
        select(func.count()).where(
            AssetVector.model_id == model_id, AssetVector.asset_id.in_(_hidden())
        )
    )
    return (everything or 0) - (hidden or 0)


def _hidden() -> CompoundSelect[Any]:
    """Ids of the pictures that are missing or excluded, from the two small indexes."""
    missing = select(ImageAsset.id).where(ImageAsset.missing_since.is_not(None))
    return missing.union(select(ImageAsset.id).where(ImageAsset.excluded))


async def _hits(
    db: AsyncSession, found: Sequence[tuple[int, float]], only: SearchFilter, model_id: int
) -> list[SearchHit]:
    """What the ledger knows of each picture, without those that are missing or excluded, and
    those that the rest of the filter keeps back; and what this model takes to look alike."""
    await db.commit()
    rows = await db.execute(
        select(ImageAsset, NearDuplicate.group_id)
        .outerjoin(
            NearDuplicate,
            (NearDuplicate.asset_id == ImageAsset.id) & (NearDuplicate.model_id == model_id),
        )
        .where(
            ImageAsset.id.in_([asset_id for asset_id, _ in found]),
            ImageAsset.missing_since.is_(None),
            ImageAsset.excluded.is_(False),
            *named_conditions(db, only),
        )
        .execution_options(populate_existing=True)
    )
    assets = {asset.id: (asset, group) for asset, group in rows}
    hits = (
        SearchHit(
            assetId=asset_id,
            path=asset.path,
            score=score,
            size=asset.size,
            width=asset.width,
            height=asset.height,
            format=asset.format,
            takenAt=asset.taken_at,
            modifiedNs=asset.mtime_ns,
            content=asset.sha256,
            alike=group,
        )
        for asset_id, score in found
        if asset_id in assets
        for asset, group in [assets[asset_id]]
    )
    return originals_first(hits)


def _restriction(wanted: SearchFilter, folders: Sequence[str]) -> Restriction:
    """The filter for the store; days begin and end in UTC, as ``taken_at`` is read."""
    return Restriction(
        session=wanted.sessionId,
        folders=tuple(map(path_to_text, folders)),
        taken_from=_seconds(wanted.takenFrom) if wanted.takenFrom else None,
        taken_before=_seconds(wanted.takenTo + timedelta(days=1)) if wanted.takenTo else None,
        formats=tuple(wanted.formats),
        orientation=wanted.orientation,
    )


def _seconds(day: date) -> int:
    return int(datetime.combine(day, time_of_day(), UTC).timestamp())
