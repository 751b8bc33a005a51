"""One suite for both vector stores, then what is particular to each.

No Qdrant server can be installed from a package index, so what stands in for it is qdrant-client's
own local mode behind HTTP: the same calls, but not the server's engine. Set ``TEST_QDRANT_URL`` to
run the same tests against a real server too. The small HTTP servers below
only play a server that fails.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import stored_vectors
from numpy.typing import NDArray
from stored_vectors import BATCH, PAYLOAD, known_vectors, random_vectors, unit

from app.api.search_schemas import Restriction
from app.config import get_settings
from app.errors import AppError
from app.vectors import embedded
from app.vectors.embedded import EmbeddedStore
from app.vectors.factory import open_store
from app.vectors.protocol import UnknownCollectionError, VectorPoint, VectorStore
from app.vectors.server import ServerStore

SERVER_URL = os.environ.get("TEST_QDRANT_URL", "")


def clustered_vectors(number: int, dimension: int, seed: int) -> NDArray[np.float32]:
    """Directions around 50 centres, shape (number, dimension)."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((50, dimension))
    near = centres[rng.integers(0, 50, number)]
    return unit(near + 0.7 * rng.standard_normal((number, dimension)))


def points(vectors: NDArray[np.float32], first_id: int = 1) -> list[VectorPoint]:
    return [VectorPoint(first_id + i, vector, PAYLOAD) for i, vector in enumerate(vectors)]


def folder_of(store_folder: Path) -> Path:
    """The folder of the only collection."""
    (folder,) = (path for path in store_folder.iterdir() if not path.name.startswith("."))
    return folder


@pytest.fixture(params=["embedded", "local", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    if request.param == "embedded":
        opened: VectorStore = EmbeddedStore(tmp_path / "vectors")
    elif request.param == "local":
        opened = ServerStore(request.getfixturevalue("local_qdrant"))
    elif SERVER_URL:
        opened = ServerStore(SERVER_URL)
    else:
        pytest.skip("TEST_QDRANT_URL is not set")
    yield opened
    opened.close()


@pytest.fixture
def name(store: VectorStore) -> Iterator[str]:
    """A name that is new to a shared server."""
    chosen = f"ViT-B-32 laion2b_s34b {uuid4().hex}"
    yield chosen
    if isinstance(store, ServerStore):
        store._client.delete_collection(chosen)


class TestBothStores:
    def test_collections_are_listed_and_made_once(self, store: VectorStore, name: str) -> None:
        assert name not in store.collections()
        store.ensure_collection(name, 4)
        store.upsert(name, points(random_vectors(3, 4)))
        store.ensure_collection(name, 4)
        assert name in store.collections()
        assert store.count(name) == 3

    @pytest.mark.parametrize("refused", ["", "..", "a/b", "a:b", "a\n", "x" * 256])
    def test_a_name_that_qdrant_refuses(self, store: VectorStore, refused: str) -> None:
        with pytest.raises(ValueError, match="cannot name a collection"):
            store.ensure_collection(refused, 4)

    def test_another_dimension_is_refused(self, store: VectorStore, name: str) -> None:
        store.ensure_collection(name, 4)
        with pytest.raises(AppError, match=r"vectors with 4 dimensions.* produces 8"):
            store.ensure_collection(name, 8)
        with pytest.raises(ValueError, match=r"expected \(4,\)"):
            store.upsert(name, points(random_vectors(2, 8)))
        with pytest.raises(ValueError, match=r"expected \(4,\)"):
            store.query(name, random_vectors(1, 8)[0], 5)
        assert store.count(name) == 0

    def test_vectors_come_back_bit_for_bit(self, store: VectorStore, name: str) -> None:
        store.ensure_collection(name, 64)
        vectors = random_vectors(50, 64)
        store.upsert(name, points(vectors))
        found = store.vectors(name, [50, 1, 999, 7])
        assert found.keys() == {1, 7, 50}
        for asset_id, vector in found.items():
            assert vector.dtype == np.float32
            np.testing.assert_array_equal(vector, vectors[asset_id - 1])

    def test_storing_again_overwrites(self, store: VectorStore, name: str) -> None:
        store.ensure_collection(name, 16)
        old, new = random_vectors(20, 16, seed=1), random_vectors(20, 16, seed=2)
        store.upsert(name, points(old))
        store.flush()
        store.upsert(name, points(new))
        assert store.count(name) == 20
        assert store.count(name, exact=False) == 20
        assert list(store.ids(name)) == [list(range(1, 21))]
        np.testing.assert_array_equal(store.vectors(name, [5])[5], new[4])
        assert store.query(name, new[4], 1)[0].asset_id == 5

    def test_a_writer_that_was_held_up_overwrites_nothing_newer(
        self, store: VectorStore, name: str
    ) -> None:
        store.ensure_collection(name, 16)
        first, second, late = (random_vectors(3, 16, seed=seed) for seed in (1, 2, 3))
        store.upsert(name, points(first), fence=5)
        store.upsert(name, points(second[:1]), fence=6)
        store.upsert(name, points(late), fence=5)
        store.upsert(name, points(late[:2]), fence=4)
        held = store.vectors(name, [1, 2, 3])
        np.testing.assert_array_equal(held[1], second[0])
        np.testing.assert_array_equal(held[2], first[1])
        np.testing.assert_array_equal(held[3], first[2])

    def test_a_point_from_before_there_were_fences_is_overwritten(
        self, store: VectorStore, name: str
    ) -> None:
        store.ensure_collection(name, 16)
        old, new = random_vectors(2, 16, seed=1), random_vectors(2, 16, seed=2)
        store.upsert(name, points(old))
        store.upsert(name, points(new), fence=1)
        np.testing.assert_array_equal(store.vectors(name, [2])[2], new[1])

    def test_a_payload_is_replaced_and_the_vector_is_left_alone(
        self, store: VectorStore, name: str
    ) -> None:
        store.ensure_collection(name, 16)
        vectors = random_vectors(3, 16)
        store.upsert(
            name,
            [VectorPoint(n, v, {"session": [1], "format": "PNG"}) for n, v in enumerate(vectors)],
            fence=7,
        )
        store.set_payloads(name, {1: {"session": [2], "fence": 7}, 99: {"session": [2]}})
        with_new, with_old = (Restriction(session=number) for number in (2, 1))
        assert [hit.asset_id for hit in store.query(name, vectors[1], 9, restriction=with_new)] == [
            1
        ]
        assert {hit.asset_id for hit in store.query(name, vectors[1], 9, restriction=with_old)} == {
            0,
            2,
        }
        png = Restriction(formats=("PNG",))
        assert len(store.query(name, vectors[1], 9, restriction=png)) == 2
        np.testing.assert_array_equal(store.vectors(name, [1])[1], vectors[1])
        store.upsert(name, points(random_vectors(1, 16, seed=9)), fence=7)  # asset 1: refused
        np.testing.assert_array_equal(store.vectors(name, [1])[1], vectors[1])
        assert store.count(name) == 3

    def test_delete_removes_what_is_there(self, store: VectorStore, name: str) -> None:
        store.ensure_collection(name, 16)
        vectors = random_vectors(20, 16)
        store.upsert(name, points(vectors))
        store.delete(name, [3, 4, 999])
        store.delete(name, [])
        assert store.count(name) == 18
        assert store.count(name, exact=False) == 18
        assert not store.vectors(name, [3, 4])
        assert 3 not in {hit.asset_id for hit in store.query(name, vectors[2], 20)}

    def test_all_ids_in_pages_ascending(self, store: VectorStore, name: str) -> None:
        store.ensure_collection(name, 4)
        wanted = [*range(2, 21_000, 2), 2**40]
        shuffled = random.Random(0).sample(wanted, len(wanted))
        vector = random_vectors(1, 4)[0]
        store.upsert(name, [VectorPoint(asset_id, vector, {}) for asset_id in shuffled])
        pages = list(store.ids(name))
        assert [len(page) for page in pages] == [10_000, 500]
        assert [asset_id for page in pages for asset_id in page] == wanted

    def test_query_ranks_as_an_exact_search_does(self, store: VectorStore, name: str) -> None:
        dimension = 640  # large enough for the embedded store to quantize 5,000 of them
        store.ensure_collection(name, dimension)
        vectors = clustered_vectors(5000, dimension, seed=1)
        store.upsert(name, points(vectors))
        store.flush()
        queries = clustered_vectors(50, dimension, seed=2)
        exact = queries @ vectors.T
        hits_in_top_ten = 0
        for query, scores in zip(queries, exact, strict=True):
            found = store.query(name, query, 10)
            assert [hit.score for hit in found] == sorted((h.score for h in found), reverse=True)
            assert [hit.score for hit in found] == pytest.approx(
                [scores[hit.asset_id - 1] for hit in found], abs=1e-5
            )
            top_ten = set((np.argsort(-scores)[:10] + 1).tolist())
            hits_in_top_ten += len(top_ten & {hit.asset_id for hit in found})
        assert hits_in_top_ten / 500 >= 0.99

    def test_query_pages_and_cut_off(self, store: VectorStore, name: str) -> None:
        store.ensure_collection(name, 32)
        vectors = clustered_vectors(300, 32, seed=1)
        store.upsert(name, points(vectors))
        whole = store.query(name, vectors[0], 60)
        assert whole[0].asset_id == 1
        assert whole[0].score == pytest.approx(1, abs=1e-5)
        pages = [store.query(name, vectors[0], 20, offset) for offset in (0, 20, 40)]
        assert [hit for page in pages for hit in page] == whole
        best = store.query(name, vectors[0], 60, min_score=whole[9].score)
        assert best == whole[:10]
        assert store.query(name, vectors[0], 20, offset=300) == []

    def test_empty_collection(self, store: VectorStore, name: str) -> None:
        store.ensure_collection(name, 8)
        store.upsert(name, [])
        assert store.query(name, random_vectors(1, 8)[0], 10) == []
        assert list(store.ids(name)) == []
        assert store.vectors(name, [1]) == {}
        assert store.count(name) == 0
        store.flush()

    def test_unknown_collection_is_a_bug_of_the_caller(self, store: VectorStore, name: str) -> None:
        for use in (
            lambda: store.count(name),
            lambda: store.upsert(name, points(random_vectors(1, 8))),
            lambda: store.query(name, random_vectors(1, 8)[0], 1),
            lambda: store.vectors(name, [1]),
            lambda: store.delete(name, [1]),
            lambda: list(store.ids(name)),
        ):
            with pytest.raises(UnknownCollectionError, match="ViT"):
                use()

    def test_close_twice(self, store: VectorStore) -> None:
        store.close()
        store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the embedded store of a test lives."""
    return tmp_path / "vectors"


class TestEmbeddedStore:
    def test_it_is_the_default(self) -> None:
        settings = get_settings()
        store = open_store(settings)
        assert isinstance(store, EmbeddedStore)
        store.ensure_collection("c", 4)
        store.close()
        assert settings.vector_dir.is_dir()
        with pytest.raises(RuntimeError, match="closed"):
            store.count("c")

    def test_reopening_finds_everything(self, folder: Path) -> None:
        vectors = random_vectors(100, 8)
        names = ["ViT-B-32", "vit-b-32", "..a", "ä", "x" * 255]
        store = EmbeddedStore(folder)
        for each in names:
            store.ensure_collection(each, 8)
            store.upsert(each, points(vectors))
        store.close()
        store = EmbeddedStore(folder)
        assert store.collections() == sorted(names)
        for each in names:
            assert store.count(each) == 100
            np.testing.assert_array_equal(store.vectors(each, [100])[100], vectors[99])
        store.close()

    def test_a_second_owner_is_refused(self, folder: Path) -> None:
        store = EmbeddedStore(folder)
        with pytest.raises(AppError, match=r"in use by another process.*AFTERIMAGE_QDRANT_URL"):
            EmbeddedStore(folder)
        code = (
            "import sys; from pathlib import Path; from app.errors import AppError\n"
            "from app.vectors.embedded import EmbeddedStore\n"
            "try: EmbeddedStore(Path(sys.argv[1]))\n"
            "except AppError as error: print(error)\n"
        )
        other = subprocess.run(
            [sys.executable, "-c", code, folder], capture_output=True, text=True, timeout=60
        )
        assert f"(process {os.getpid()}, since" in other.stdout
        store.close()
        EmbeddedStore(folder).close()

    def test_leftovers_of_a_killed_process_are_removed(self, folder: Path) -> None:
        store = EmbeddedStore(folder)
        store.ensure_collection("c", 8)
        store.upsert("c", points(random_vectors(10, 8)))
        store.close()
        half_segment = folder_of(folder) / "temp_segments" / "segment_builder_x1"
        half_collection = folder / ".new-d-0123"
        segment = next((folder_of(folder) / "segments").iterdir())
        half_file = segment / ".atomicwrite1x2Y3z"
        for half_made in (half_segment, half_collection, half_file):
            half_made.mkdir(parents=True)
            (half_made / "segment.json").write_text("{")
        store = EmbeddedStore(folder)
        assert store.collections() == ["c"]
        assert store.count("c") == 10
        assert not half_segment.exists()
        assert not half_collection.exists()
        assert not half_file.exists()
        store.close()

    def test_housekeeping_comes_by_itself(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(embedded, "HOUSEKEEPING_POINTS", 6000)
        store = EmbeddedStore(folder)
        store.ensure_collection("c", 512)
        vectors = random_vectors(6000, 512)
        for start in range(0, 6000, 500):
            store.upsert("c", points(vectors[start : start + 500], first_id=start + 1))
        quantized = list(folder_of(folder).glob("segments/*/**/quantized.*"))
        assert quantized
        assert store.count("c") == 6000
        store.close()

    @pytest.mark.parametrize(
        "broken", ["edge_config.json", "collection.json", "segments/*/vector_storage/deleted/*.dat"]
    )
    def test_a_damaged_collection_says_so(self, folder: Path, broken: str) -> None:
        store = EmbeddedStore(folder)
        store.ensure_collection("c", 8)
        store.upsert("c", points(random_vectors(10, 8)))
        store.close()
        for path in folder_of(folder).glob(broken):
            path.write_bytes(b"")
        store = EmbeddedStore(folder)
        with pytest.raises(AppError, match=r"damaged.*can be rebuilt"):
            store.query("c", random_vectors(1, 8)[0], 1)
        store.close()

    def test_an_unusable_folder_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(AppError, match=r"cannot be used.*can be read and written"):
            EmbeddedStore(tmp_path / "file" / "vectors")

    def test_a_nearly_full_disk_stops_writing_only(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = EmbeddedStore(folder)
        store.ensure_collection("c", 8)
        vectors = random_vectors(10, 8)
        store.upsert("c", points(vectors))
        free = embedded.FREE_TO_WRITE - 1
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, free))
        with pytest.raises(AppError, match=r"nearly full.*256 MB") as full:
            store.upsert("c", points(vectors, first_id=11))
        assert full.value.transient
        for collection in ("c", "d"):  # who opens one is about to write
            with pytest.raises(AppError, match="nearly full"):
                store.ensure_collection(collection, 8)
        store.flush()
        assert store.count("c") == 10
        assert store.query("c", vectors[3], 1)[0].asset_id == 4
        store.close()

    def test_queries_answer_while_another_thread_stores(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(embedded, "HOUSEKEEPING_POINTS", 1500)
        store = EmbeddedStore(folder)
        store.ensure_collection("c", 128)
        vectors = random_vectors(6000, 128)
        store.upsert("c", points(vectors[:32]))

        def write() -> None:
            for start in range(32, 6000, 32):
                store.upsert("c", points(vectors[start : start + 32], first_id=start + 1))

        queries = 0
        with ThreadPoolExecutor() as threads:
            writer = threads.submit(write)
            while not writer.done():
                best = store.query("c", vectors[queries % 32], 5)
                assert best[0].asset_id == queries % 32 + 1
                assert best[0].score == pytest.approx(1, abs=1e-5)
                queries += 1
            writer.result()
        assert queries > 10
        assert store.count("c") == 6000
        store.close()

    def test_a_power_cut_costs_nothing_that_was_written(self, folder: Path, tmp_path: Path) -> None:
        store = EmbeddedStore(folder)
        store.ensure_collection("c", 8)
        before, now = random_vectors(40, 8), random_vectors(40, 8, seed=1)
        store.upsert("c", points(before))
        survives = tmp_path / "disk"
        shutil.copytree(folder, survives)
        store.upsert("c", points(now[:30], first_id=21))
        store.set_payloads("c", {5: {**PAYLOAD, "format": "png"}})
        store.delete("c", [7])
        log = folder_of(survives) / "wal"  # all else is as it was
        shutil.rmtree(log)
        shutil.copytree(folder_of(folder) / "wal", log)
        store.close()

        store = EmbeddedStore(survives)
        found = store.vectors("c", list(range(1, 51)))
        assert found.keys() == set(range(1, 51)) - {7}
        for number, vector in found.items():
            wanted = now[number - 21] if number > 20 else before[number - 1]
            np.testing.assert_array_equal(vector, wanted)
        of_format = Restriction(formats=["png"])
        assert [hit.asset_id for hit in store.query("c", now[0], 5, restriction=of_format)] == [5]
        store.close()

    @pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the engine flushes all")
    def test_the_log_is_on_the_disk_before_a_write_returns(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = EmbeddedStore(folder)
        store.ensure_collection("c", 8)
        store.upsert("c", points(random_vectors(1, 8)))
        synced = []
        monkeypatch.setattr(
            os, "fdatasync", lambda file: synced.append(os.readlink(f"/proc/self/fd/{file}"))
        )
        log = str(folder_of(folder) / "wal")
        store.upsert("c", points(random_vectors(1, 8)))
        store.set_payloads("c", {1: PAYLOAD})
        store.delete("c", [1])
        assert [path for path in synced if path == f"{log}/open-1"] == [f"{log}/open-1"] * 3
        assert {os.path.dirname(path) for path in synced} == {log}
        store.close()

    def test_the_log_is_shortened_whenever_a_file_of_it_is_full(self, folder: Path) -> None:
        store = EmbeddedStore(folder)
        store.ensure_collection("c", 4096)
        vectors = random_vectors(500, 4096)
        for _ in range(10):  # 100 MB
            store.upsert("c", points(vectors))
        log = list((folder_of(folder) / "wal").iterdir())
        assert sum(path.stat().st_blocks * 512 for path in log) < 70_000_000
        store.close()

    def test_importing_the_interface_loads_no_engine(self) -> None:
        code = (
            "import sys, app.vectors.factory as s; from app.config import get_settings\n"
            "engines = {'qdrant_edge', 'qdrant_client'}\n"
            "assert not engines & sys.modules.keys()\n"
            "s.open_store(get_settings()).close()\n"
            "assert 'qdrant_client' not in sys.modules\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_what_was_acknowledged_survives_kill_9(folder: Path) -> None:
    acknowledged = 0
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, stored_vectors.__file__, folder, str(acknowledged)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        output = [child.stdout.readline()]
        time.sleep(random.uniform(0.2, 1.5))
        child.kill()
        output += child.stdout.readlines()
        child.stdout.close()
        child.wait()
        acknowledged = max(int(line) for line in output if line.endswith("\n"))

        store = EmbeddedStore(folder)
        ids = [asset_id for page in store.ids("c") for asset_id in page]
        # One batch may have been stored and killed before it was acknowledged.
        assert ids in ([*range(acknowledged)], [*range(acknowledged + BATCH)])
        assert store.count("c") == len(ids)
        for start in range(0, acknowledged, 1000):
            some = range(start, min(start + 1000, acknowledged))
            stored = store.vectors("c", some)
            np.testing.assert_array_equal([stored[i] for i in some], known_vectors(some))
        store.close()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def failing_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an HTTP server that gives one answer to everything, after a delay."""
    status, body, delay = request.param

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(delay)
            try:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)
            except BrokenPipeError:
                pass  # the client gave up waiting

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class TestServerStore:
    def test_settings_choose_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AFTERIMAGE_QDRANT_URL", "http://127.0.0.1:6333")
        store = open_store(get_settings())
        assert isinstance(store, ServerStore)
        store.close()

    def test_nobody_answers(self) -> None:
        url = f"http://127.0.0.1:{closed_port()}"
        store = ServerStore(url)
        with pytest.raises(AppError, match=f"The Qdrant server at {url} does not answer"):
            store.ensure_collection("c", 8)
        with pytest.raises(AppError, match="does not answer") as away:
            store.upsert("c", points(random_vectors(1, 8)))
        assert away.value.transient
        store.close()

    @pytest.mark.parametrize(
        ("failing_server", "sentence", "passes"),
        [
            ((500, b'{"status": {"error": "No space left"}}', 0), "refused.*: No space left", True),
            ((502, b"<html>", 0), "refused a request: .*502", True),
            ((503, b'{"status": {"error": "starting"}}', 0), "refused.*: starting", True),
            ((401, b'{"status": {"error": "no key"}}', 0), "refused.*: no key", False),
            ((200, b"<html>", 0), "not a Qdrant server", False),
            ((200, b"{}", 1.5), "does not answer", True),
        ],
        indirect=["failing_server"],
    )
    def test_a_failing_server_gets_a_sentence(
        self, failing_server: str, sentence: str, passes: bool
    ) -> None:
        store = ServerStore(failing_server, timeout=1)
        with pytest.raises(AppError, match=sentence) as failed:
            store.collections()
        assert failed.value.transient == passes
        store.close()
