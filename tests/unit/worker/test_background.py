"""Whether a text is known: the drawn model knows shapes and colours, and no invoices."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pytest
from drawing import Scene, captions, distinct_scenes, draw
from drawn_model import DRAWN_MODEL
from ledgers import fresh_ledger
from numpy.typing import NDArray

from app.api.search_schemas import SearchTerm
from app.embedding.loading import load_encoder
from app.pictures.pixels import Orientation, fit
from app.queue.questions import FindAnswer, FindRequest
from app.vectors.protocol import VectorPoint
from app.worker import background, search
from app.worker.context import context

PICTURES = 40
UNKNOWN = ("invoice", "qwertz", "Pythagoras", "Angela Merkel", "tax return", "photosynthesis")
"""None of them is a probe."""


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return distinct_scenes(PICTURES, random.Random(3), held_out=True)


@pytest.fixture
def collection(measured: None, scenes: list[Scene]) -> Iterator[str]:
    """Forty drawn pictures in an index, with the ids 1 to 40."""
    context.cache_clear()
    fresh_ledger()
    encoder = load_encoder(DRAWN_MODEL, "cpu", "fp32")
    drawn = [draw(scene, (256, 256)) for scene in scenes]
    squares = [fit(one, one.size, Orientation(), encoder.pixels) for one in drawn]
    vectors = encoder.encode_images(np.stack(squares))
    store = context().store
    store.ensure_collection(encoder.collection, encoder.dimension)
    store.upsert(
        encoder.collection,
        [VectorPoint(number, vector, {}) for number, vector in enumerate(vectors, 1)],
    )
    background.background(store, encoder.collection, partial(search._text_vectors, encoder), 60.0)
    yield encoder.collection
    context().close()
    context.cache_clear()


def find(collection: str, *texts: str, **rest: object) -> FindAnswer:
    request = {
        "model": DRAWN_MODEL,
        "collection": collection,
        "terms": [SearchTerm(text=text) for text in texts],
        "limit": PICTURES,
        "likely_only": True,
    }
    return search.find(FindRequest.model_validate(request | rest))


def test_what_the_model_knows_is_told_from_what_it_does_not(
    collection: str, scenes: list[Scene]
) -> None:
    known = [find(collection, captions(scene)[0]).known for scene in scenes]
    assert np.mean(known) >= 0.95
    unknown = [find(collection, text) for text in UNKNOWN]
    assert np.mean([not answer.known for answer in unknown]) >= 0.8
    closest = next(answer for answer in unknown if not answer.known)
    assert len(closest.hits) == search.CLOSEST
    assert closest.left_out


def test_results_end_where_they_are_no_longer_likely(collection: str, scenes: list[Scene]) -> None:
    text = captions(scenes[0])[0]
    likely, everything = find(collection, text), find(collection, text, likely_only=False)
    assert likely.hits[0][0] == 1
    assert likely.left_out
    assert len(likely.hits) < len(everything.hits) == PICTURES
    assert likely.hits == everything.hits[: len(likely.hits)]

    # the second page knows what the best picture was
    one_by_one = [find(collection, text, limit=1, offset=at) for at in range(PICTURES)]
    paged = [hit for answer in one_by_one for hit in answer.hits]
    assert paged == likely.hits


def test_what_is_taken_off_a_query_goes_and_never_adds_results(
    collection: str, scenes: list[Scene]
) -> None:
    text = captions(scenes[0])[0]
    plain = find(collection, text)
    last = plain.hits[-1][0]
    other = SearchTerm(text=captions(scenes[last - 1])[0], weight=-1)
    terms = [SearchTerm(text=text), other]
    without = find(collection, terms=terms)
    assert without.known
    assert without.left_out
    assert without.hits[0][0] == 1
    assert {number for number, _ in without.hits} < {number for number, _ in plain.hits}
    assert last not in [number for number, _ in without.hits]
    scores = [score for _, score in without.hits]
    assert scores == sorted(scores, reverse=True)

    one_by_one = [find(collection, terms=terms, limit=1, offset=at) for at in range(PICTURES)]
    assert [hit for answer in one_by_one for hit in answer.hits] == without.hits
    assert len(find(collection, terms=terms, likely_only=False).hits) == PICTURES


def test_a_thumb_down_never_adds_results(collection: str, scenes: list[Scene]) -> None:
    text = captions(scenes[0])[0]
    plain = find(collection, text)
    moved = find(collection, text, disliked=[plain.hits[-1][0]])
    assert {number for number, _ in moved.hits} <= {number for number, _ in plain.hits}


def test_of_an_unknown_text_the_closest_are_shown_whatever_is_taken_off(collection: str) -> None:
    terms = [SearchTerm(text="qwertz"), SearchTerm(text="a red circle", weight=-1)]
    without, plain = find(collection, terms=terms), find(collection, "qwertz")
    assert not without.known
    assert {number for number, _ in without.hits} == {number for number, _ in plain.hits}


def test_examples_and_a_least_score_are_left_as_they_are(collection: str) -> None:
    like = find(collection, terms=[SearchTerm(assetId=1)])
    unlike = find(collection, terms=[SearchTerm(assetId=1), SearchTerm(text="a", weight=-1)])
    nothing_wanted = find(collection, terms=[SearchTerm(text="a", weight=-1)])
    assert len(like.hits) == len(unlike.hits) == len(nothing_wanted.hits) == PICTURES
    assert like.known
    assert unlike.known
    lowest = find(collection, "qwertz", min_score=-1.0)
    assert len(lowest.hits) == PICTURES


def test_probes_are_embedded_in_slices_and_only_once(collection: str) -> None:
    background.forget(collection)
    store, encoder = context().store, load_encoder(DRAWN_MODEL, "cpu", "fp32")
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        return encoder.encode_texts(texts)

    slices = 1
    while background.background(store, collection, embed, 0.0) is None:
        slices += 1
    assert slices == -(-len(background.PROBES) // background.AT_ONCE)
    assert tuple(asked) == background.PROBES

    context().backgrounds.clear()  # as in the next process
    assert background.background(store, collection, embed, 0.0) is not None
    assert tuple(asked) == background.PROBES

    background._file(collection).write_bytes(b"damaged")
    context().backgrounds.clear()
    assert background.background(store, collection, embed, 60.0) is not None

    background.forget(collection)
    assert not background._file(collection).exists()


def test_a_collection_that_has_grown_is_measured_again(collection: str) -> None:
    store, encoder = context().store, load_encoder(DRAWN_MODEL, "cpu", "fp32")
    first = background.background(store, collection, encoder.encode_texts, 60.0)
    assert first is not None
    assert first.pictures == PICTURES
    (vector,) = store.vectors(collection, [1]).values()
    store.upsert(collection, [VectorPoint(100, vector, {})])
    assert background.background(store, collection, encoder.encode_texts, 60.0) is first
    store.upsert(collection, [VectorPoint(101 + number, vector, {}) for number in range(PICTURES)])
    again = background.background(store, collection, encoder.encode_texts, 60.0)
    assert again is not None
    assert again.pictures == 2 * PICTURES + 1


def test_a_handful_of_pictures_has_no_background(collection: str) -> None:
    store = context().store
    store.delete(collection, list(range(background.FEWEST, PICTURES + 1)))
    answer = find(collection, "qwertz")
    assert answer.known
    assert len(answer.hits) == background.FEWEST - 1


def test_an_index_that_is_emptied_meanwhile_has_no_background(
    collection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = context().store
    context().backgrounds.clear()
    store.delete(collection, range(1, PICTURES + 1))
    monkeypatch.setattr(store, "count", lambda _collection, exact: PICTURES)  # a moment ago
    embed = partial(search._text_vectors, load_encoder(DRAWN_MODEL, "cpu", "fp32"))
    assert background.background(store, collection, embed, 60.0) is None
