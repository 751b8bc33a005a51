"""What a query is restricted to, on both stores, against a check by brute force."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.api.search_schemas import Restriction
from app.vectors.embedded import EmbeddedStore
from app.vectors.protocol import PAYLOAD_INDEXES, UnknownCollectionError, VectorPoint, VectorStore
from app.vectors.server import ServerStore

NAME = "ViT-B-32 demo"
PICTURES = 3_000
DIMENSION = 32
Payload = dict[str, Any]


def some_payload(rng: random.Random) -> Payload:
    album, year = rng.randrange(20), rng.randrange(10)
    payload: Payload = {
        "session": rng.sample([1, 2, 3], rng.randint(1, 2)),
        "folder": ["/", "/photos", f"/photos/ü {year}", f"/photos/ü {year}/{album}"],
        "format": rng.choice(["JPEG", "PNG", "HEIF"]),
        "orientation": rng.choice(["landscape", "portrait", "square"]),
    }
    if rng.random() < 0.8:
        payload["taken_at"] = rng.randrange(1_000_000)
    return payload


@pytest.fixture(params=["embedded", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    opened: VectorStore
    if request.param == "embedded":
        opened = EmbeddedStore(tmp_path / "vectors")
    else:
        opened = ServerStore(request.getfixturevalue("local_qdrant"))
    opened.ensure_collection(NAME, DIMENSION)
    yield opened
    opened.drop_collection(NAME)
    opened.close()


def unit(rows: int, seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    vectors = np.random.default_rng(seed).standard_normal((rows, DIMENSION))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


CASES: list[tuple[Restriction, Callable[[Payload], bool]]] = [
    (Restriction(), lambda p: True),
    (Restriction(session=2), lambda p: 2 in p["session"]),
    (Restriction(session=9), lambda p: False),
    (Restriction(folders=("/photos",)), lambda p: True),
    (Restriction(folders=("/photos/ü 3",)), lambda p: "/photos/ü 3" in p["folder"]),
    (Restriction(folders=("/photos/ü",)), lambda p: False),
    (Restriction(formats=("PNG", "HEIF")), lambda p: p["format"] != "JPEG"),
    (Restriction(orientation="square"), lambda p: p["orientation"] == "square"),
    (Restriction(taken_from=0), lambda p: "taken_at" in p),
    (Restriction(taken_from=500_000), lambda p: p.get("taken_at", -1) >= 500_000),
    (Restriction(taken_before=500_000), lambda p: p.get("taken_at", 10**9) < 500_000),
    (
        Restriction(1, ("/photos/ü 4",), 100_000, 900_000, ("JPEG",), "landscape"),
        lambda p: (
            1 in p["session"]
            and "/photos/ü 4" in p["folder"]
            and 100_000 <= p.get("taken_at", -1) < 900_000
            and p["format"] == "JPEG"
            and p["orientation"] == "landscape"
        ),
    ),
]


def test_every_restriction_gives_exactly_what_brute_force_gives(store: VectorStore) -> None:
    rng = random.Random(1)
    vectors, payloads = unit(PICTURES, 2), [some_payload(rng) for _ in range(PICTURES)]
    store.upsert(
        NAME,
        [VectorPoint(i, v, p) for i, (v, p) in enumerate(zip(vectors, payloads, strict=True))],
    )
    store.flush()
    for query in unit(3, 3):
        scores = vectors @ query
        for restriction, holds in CASES:
            expected = {i for i in range(PICTURES) if holds(payloads[i])}
            found = store.query(NAME, query, PICTURES, restriction=restriction)
            assert {hit.asset_id for hit in found} == expected, restriction
            assert [hit.score for hit in found] == pytest.approx(
                sorted((float(scores[i]) for i in expected), reverse=True), abs=1e-5
            )
            page = store.query(NAME, query, 7, offset=5, restriction=restriction)
            assert page == found[5:12], restriction


def test_a_payload_that_is_stored_again_replaces_the_old_one(store: VectorStore) -> None:
    vector = unit(1, 0)[0]
    store.upsert(NAME, [VectorPoint(1, vector, {"session": [1], "format": "PNG"})])
    store.upsert(NAME, [VectorPoint(1, vector, {"session": [2]})])
    assert store.query(NAME, vector, 5, restriction=Restriction(session=2))
    assert not store.query(NAME, vector, 5, restriction=Restriction(session=1))
    assert not store.query(NAME, vector, 5, restriction=Restriction(formats=("PNG",)))


def test_a_dropped_collection_is_gone_and_can_be_made_anew(store: VectorStore) -> None:
    store.upsert(NAME, [VectorPoint(1, unit(1, 0)[0], {})])
    store.ensure_collection("another", 8)
    store.drop_collection(NAME)
    store.drop_collection(NAME)
    assert store.collections() == ["another"]
    with pytest.raises(UnknownCollectionError):
        store.count(NAME)
    store.ensure_collection(NAME, DIMENSION)
    assert store.count(NAME) == 0


def test_a_collection_of_an_earlier_version_gets_the_index_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "old"
    with monkeypatch.context() as patch:
        fewer = {field: kind for field, kind in PAYLOAD_INDEXES.items() if field != "session"}
        patch.setattr("app.vectors.embedded.PAYLOAD_INDEXES", fewer)
        old = EmbeddedStore(folder)
        old.ensure_collection(NAME, DIMENSION)
        old.upsert(NAME, [VectorPoint(1, unit(1, 0)[0], {"session": [5]})])
        old.close()
    again = EmbeddedStore(folder)
    assert again.query(NAME, unit(1, 0)[0], 5, restriction=Restriction(session=5))
    with again._use(NAME) as collection:
        assert set(collection.shard.info().payload_schema) == set(PAYLOAD_INDEXES)
    again.close()
