"""The worker's side of a search: a query becomes one vector, the store ranks the pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.api.search_schemas import LEAST_PART, Region, SearchTerm
from app.config import get_settings
from app.errors import AppError
from app.pictures.decode import PictureError
from app.pictures.pixels import WHOLE
from app.queue.questions import FindAnswer, FindRequest, PrepareRequest
from app.vectors.protocol import UnknownCollectionError, VectorStore
from app.worker.background import Background, background
from app.worker.context import context, register_model

if TYPE_CHECKING:
    from app.embedding.encoder import Encoder

TEMPLATES = ("{}", "a photo of {}")
"""What a description is put into; the vectors are averaged, as CLIP's authors do with many more
(Radford et al. 2021, section 3.1.4). The bare text comes first, as people write whole sentences."""
SENTENCE = 5
"""Words from which on a description is one by itself, and is put into nothing."""
TEXTS_REMEMBERED = 512
CLOSEST = 12
"""Pictures that are shown for a text that none of them shows."""
MOST_NARROWED = 2_000
"""Likely pictures that are ranked anew where something is taken off a query."""
PREPARE_S, JUDGE_S = 3.0, 0.5
"""How long a background may be measured before the first search, and in each until it is known."""
LIKED, DISLIKED = 0.75, 0.15
"""Beta and gamma of Rocchio's relevance feedback, beside an alpha of 1 for the query itself; the
values are those of Manning, Raghavan and Schütze, Introduction to Information Retrieval (2008),
section 9.1.1."""
MIN_LENGTH = 1e-3
"""Below this length a sum of vectors of unit length has no direction worth the name."""


def find(request: FindRequest) -> FindAnswer:
    """The pictures nearest to a query, best first, and whether any of them shows it.

    Raises:
        AppError: the collection or the model is gone, or a term is no picture that can be read.
    """
    store = context().store
    try:
        vector, unused = _moved(store, request)
        hits = store.query(
            request.collection,
            vector,
            request.limit,
            request.offset,
            request.min_score,
            request.restriction,
        )
        found = [(hit.asset_id, hit.score) for hit in hits]
        answer = FindAnswer(hits=found, unused=unused)
        return _judged(store, request, vector, answer) if hits else answer
    except UnknownCollectionError as error:
        raise AppError(
            "The index of this model no longer exists.",
            "Choose another model, or index the folder again.",
        ) from error


def prepare(request: PrepareRequest) -> None:
    """Have the model in memory before the first question comes, and know its background."""
    _encoder(request.model, request.collection)
    with suppress(UnknownCollectionError):
        _background(context().store, request.model, request.collection, PREPARE_S)


def _judged(
    store: VectorStore, request: FindRequest, vector: NDArray[np.float32], answer: FindAnswer
) -> FindAnswer:
    """The answer with what can be said of it, and without what is not worth showing.

    Only of texts: an example is always like something. What is taken off a query leaves less of it
    than of a text, so that the rest of it is judged.
    """
    wanted = [term for term in request.terms if term.weight > 0]
    if request.liked or not wanted or any(term.text is None for term in wanted):
        return answer
    found = _background(store, request.model, request.collection, JUDGE_S)
    if found is None:
        return answer
    if len(wanted) < len(request.terms) or request.disliked:
        rest = _query_vector(store, request.model, request.collection, wanted)
        return _narrowed(store, request, vector, rest, found, answer)
    top = answer.hits[0][1]
    if request.offset:
        best = store.query(request.collection, vector, 1, restriction=request.restriction)
        top = best[0].score if best else top
    answer.known = found.knows(vector, top)
    if request.likely_only and request.min_score is None:
        cut = found.cut(vector, top)
        kept = [hit for hit in answer.hits if hit[1] >= cut]
        if not answer.known:
            kept = answer.hits[: max(CLOSEST - request.offset, 0)]
        answer.left_out = len(kept) < len(answer.hits)
        answer.hits = kept
    return answer


def _narrowed(
    store: VectorStore,
    request: FindRequest,
    vector: NDArray[np.float32],
    rest: NDArray[np.float32],
    found: Background,
    answer: FindAnswer,
) -> FindAnswer:
    """Of a query that something is taken off: what is likely without that, in the order of the
    whole, so that there are never more results than without it.

    Args:
        rest: the query without what is taken off, of unit length, shape (dimension,).
    """
    nearest = store.query(request.collection, rest, MOST_NARROWED, restriction=request.restriction)
    top = nearest[0].score if nearest else 0.0
    answer.known = found.knows(rest, top)
    if not request.likely_only or request.min_score is not None:
        return answer
    cut = found.cut(rest, top)
    likely = [hit for hit in nearest if hit.score >= cut] if answer.known else nearest[:CLOSEST]
    vectors = store.vectors(request.collection, [hit.asset_id for hit in likely])
    scores = {one: float(vector @ other) for one, other in vectors.items()}
    # what rises further for what is taken off than for the rest shows that, too
    least = float(vector @ found.mean) if answer.known else -1.0
    ranked = sorted(
        ((one, score) for one, score in scores.items() if score > least), key=lambda hit: -hit[1]
    )
    end = request.offset + request.limit
    answer.hits = ranked[request.offset : end]
    answer.left_out = end >= len(ranked) and len(ranked) < len(nearest)
    return answer


def _background(
    store: VectorStore, model: str, collection: str, seconds: float
) -> Background | None:
    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return _text_vectors(_encoder(model, collection), texts)

    return background(store, collection, embed, seconds)


def _encoder(model: str, collection: str) -> Encoder:
    encoder = context().search_encoder(model)
    if encoder.collection != collection:
        register_model(encoder, model)
        raise AppError(
            "The weights of this model have changed, so its pictures are being indexed again.",
            "Search again once some are done.",
        )
    return encoder


def _moved(store: VectorStore, request: FindRequest) -> tuple[NDArray[np.float32], int]:
    """The query, moved towards what is liked and away from what is not; shape (dimension,), of
    unit length. Beside it, how many of those pictures the collection does not have.

    Raises:
        AppError: there are no terms, and none of the liked pictures is known.
    """
    marked = [*request.liked, *request.disliked]
    known = store.vectors(request.collection, marked) if marked else {}
    liked, disliked = (
        [known[one] for one in some if one in known] for some in (request.liked, request.disliked)
    )
    if not request.terms and not liked:
        raise AppError(
            "None of the pictures to be like is indexed with this model.",
            "Mark others, or search again once they are indexed.",
        )
    parts = []
    if request.terms:
        parts.append(_query_vector(store, request.model, request.collection, request.terms))
    if liked:
        parts.append(LIKED * np.mean(liked, axis=0))
    if disliked:
        parts.append(-DISLIKED * np.mean(disliked, axis=0))
    return _unit(np.sum(parts, axis=0), request.terms), len(marked) - len(liked) - len(disliked)


def _query_vector(
    store: VectorStore, model: str, collection: str, terms: Sequence[SearchTerm]
) -> NDArray[np.float32]:
    """The weighted sum of all terms, of unit length, shape (dimension,)."""
    total: NDArray[np.float32] = sum(
        np.float32(term.weight) * _term_vector(store, model, collection, term) for term in terms
    )  # type: ignore[assignment]
    return _unit(total, terms)


def _unit(total: NDArray[np.float32], terms: Sequence[SearchTerm]) -> NDArray[np.float32]:
    length = float(np.linalg.norm(total))
    if length < MIN_LENGTH:
        raise _cancelled_out(terms)
    return (total / length).astype(np.float32)


def _cancelled_out(terms: Sequence[SearchTerm]) -> AppError:
    """Why nothing is left of a query: the same on both sides, or only the same to the model."""
    wanted, unwanted = (
        {_meant(term) for term in terms if term.weight * side > 0} for side in (1, -1)
    )
    if wanted == unwanted:
        return AppError("What to find and what to exclude are the same.", "Change one of them.")
    return AppError(
        "To this model, what to find and what to exclude are alike, so nothing is left to find.",
        "Use other words, or let one of them count less.",
    )


def _meant(term: SearchTerm) -> object:
    """What a term looks for, however it is written."""
    picture = term.assetId or (term.path and (term.path, term.region))
    return picture or " ".join((term.text or "").casefold().split())


def _term_vector(
    store: VectorStore, model: str, collection: str, term: SearchTerm
) -> NDArray[np.float32]:
    if term.assetId is not None:
        return _stored_vector(store, collection, term.assetId)
    if term.text is not None:
        return _text_vector(model, collection, " ".join(term.text.split()))
    assert term.path is not None
    return _picture_vector(_encoder(model, collection), term.path, term.region or WHOLE)


def _stored_vector(store: VectorStore, collection: str, asset_id: int) -> NDArray[np.float32]:
    found = store.vectors(collection, [asset_id]).get(asset_id)
    if found is None:
        raise AppError(
            "This picture is not indexed with this model yet.", "Search again once it is."
        )
    return found


def _text_vector(model: str, collection: str, text: str) -> NDArray[np.float32]:
    known, key = context().text_vectors, (collection, text)
    vector = known.pop(key, None)
    if vector is None:
        vector = _text_vectors(_encoder(model, collection), [text])[0]
    known[key] = vector  # now the newest
    while len(known) > TEXTS_REMEMBERED:
        known.pop(next(iter(known)))
    return vector


def _text_vectors(encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float32]:
    """Of unit length, shape (texts, dimension)."""
    framed = [_framed(text) for text in texts]
    vectors = encoder.encode_texts(list(chain.from_iterable(framed)))
    ends = np.cumsum([len(some) for some in framed])
    means = np.stack([some.mean(axis=0) for some in np.split(vectors, ends[:-1])])
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (means / lengths).astype(np.float32)
    return unit


def _framed(text: str) -> list[str]:
    templates = TEMPLATES if len(text.split()) < SENTENCE else TEMPLATES[:1]
    return [template.format(text) for template in templates]


def _picture_vector(encoder: Encoder, path: str, region: Region) -> NDArray[np.float32]:
    try:
        limit, spec = get_settings().max_image_megapixels, replace(encoder.pixels, region=region)
        with context().decoders.read(0, path) as file:
            decoded = file.decode(spec, limit).result()
    except PictureError as error:
        raise AppError(
            f"{os.path.basename(path)} cannot be used for a search: {error.message}",
            "Choose another picture.",
        ) from error
    left, top, right, bottom = region
    part = min(decoded.width * (right - left), decoded.height * (bottom - top))
    if region != WHOLE and round(part) < LEAST_PART:
        raise AppError(
            "This part of the picture is too small to search for.",
            f"Choose at least {LEAST_PART} × {LEAST_PART} pixels of it.",
        )
    vector: NDArray[np.float32] = encoder.encode_images(decoded.pixels[None])[0]
    return vector
