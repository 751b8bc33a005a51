"""What must hold after every fault, however it went; the same judge for all of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from drawn_model import DRAWN_MODEL
from numpy.typing import NDArray
from scene import Scene
from sqlalchemy import select

if TYPE_CHECKING:
    from app.embedding.encoder import Encoder
    from app.vectors.protocol import VectorStore

SAME = 0.999
"""Cosine of two embeddings of one picture, at least; the drawn model computes in fp32."""
SAMPLE = 48
UNDONE = ("pending", "running")
BAD_OUTPUT = ("Traceback", "never awaited", "Task was destroyed", "ResourceWarning", "QObject::")
STRAY = re.compile(r"(\.partial$|\.tmp$|/\.new-|dump\.rdb|/core(\.\d+)?$|temp-.*\.rdb$)")
KEPT_FOR_THE_NEXT_TIME = ("torchinductor_", f"afterimage-{os.getuid()}")
"""Folders in the temporary one: PyTorch's, and the one for locks that prove which worker lives."""
OF_OTHERS = 0o077
KEPT_IN_PLACE = {"data", "pictures", "cache", "work", "temporary", "output", "plan", "disk"}


@dataclass(slots=True)
class Verdict:
    """What did not hold; all empty is what must be."""

    lost: list[str] = field(default_factory=list)
    """Pictures without their vector, or files whose fate is another one."""
    doubled: list[str] = field(default_factory=list)
    """Attempts with more than one evidence row, pictures embedded twice for nothing."""
    wrong: list[str] = field(default_factory=list)
    """Vectors that are not the picture's."""
    broken: list[str] = field(default_factory=list)
    """Anything else that was promised: invariants, processes, sockets, files, words."""
    recovery_s: float = 0.0

    def __bool__(self) -> bool:
        return not self.problems()

    def problems(self) -> list[str]:
        return [
            f"{kind}: {text}"
            for kind in ("lost", "doubled", "wrong", "broken")
            for text in getattr(self, kind)
        ]


def judge(scene: Scene, *, expected: str = "completed") -> Verdict:
    """End the program and look at everything that it leaves.

    Args:
        expected: the status that the newest session must have.
    """
    verdict = Verdict()
    session = scene.session()
    if session is None or session.status != expected or session.running:
        verdict.broken.append(f"the newest session is not {expected} and at rest: {session}")
    verdict.recovery_s = _recovery(scene)
    scene.look_at_sockets()
    verdict.broken += scene.end()
    verdict.broken += sorted(scene.listeners)
    verdict.broken += [f"a step names {at}, which is gone" for at in scene.plan.unknown()]
    verdict.broken += _outputs(scene)
    for album in scene.albums:
        verdict.broken += [f"touched: {path!r}" for path in album.touched()]
    with scene.inside(), _store() as store:
        _check_ledger(verdict, store)
        _check_evidence(verdict, scene)
        statuses = _statuses()
        _check_fates(verdict, scene, statuses)
        _check_vectors(verdict, scene, store, statuses)
    verdict.broken += _files(scene)  # of what a killed store left, the next start takes care
    return verdict


def _recovery(scene: Scene) -> float:
    """Seconds from the fault until a picture got its vector and all that the dead held is free.

    With nothing left to index, seconds to rest.
    """
    if not scene.struck_at:
        return 0.0
    settled = scene.first_settled_after(scene.struck_at)
    session = scene.session()
    rested = session.finished_at if session is not None else None
    freed = scene.last_freed_after(scene.struck_at) or 0.0
    return max(settled or rested or 0.0, freed, scene.struck_at) - scene.struck_at


def _outputs(scene: Scene) -> Iterator[str]:
    """Programs end with 0, and say nothing that only a programmer understands."""
    for program in scene.programs:
        code = program.process.poll()
        if code != 0 and not program.killed:
            yield f"{program.what()} ended with {code}: {program.said()[-500:]}"
        for words in BAD_OUTPUT:
            if words in program.said():
                yield f"{program.what()} wrote: {program.said()[-1500:]}"
                break
    window_log = scene.data / "logs" / "window.log"
    if window_log.exists():
        text = window_log.read_text("utf-8", "replace")
        for words in BAD_OUTPUT:
            if words in text:
                yield f"window.log has “{words}”: {text[text.index(words) :][:1500]}"


def _files(scene: Scene) -> Iterator[str]:
    for path in scene.place.iterdir():
        if path.name not in KEPT_IN_PLACE:
            yield f"a stray file: {path.name}"
    for path in (*(scene.place / "work").iterdir(), *(scene.place / "temporary").iterdir()):
        if not path.name.startswith(KEPT_FOR_THE_NEXT_TIME):
            yield f"a stray file: {path}"
    for parent, _, names in os.walk(scene.data):
        if os.stat(parent).st_mode & OF_OTHERS:
            yield f"others may enter {parent}"
        for file in (os.path.join(parent, name) for name in names):
            if STRAY.search(file):
                yield f"a stray file: {file}"
            if os.lstat(file).st_mode & OF_OTHERS and not os.path.islink(file):
                yield f"others may read {file}"


@contextmanager
def _store() -> Iterator[VectorStore]:
    from app.config import get_settings
    from app.vectors.factory import open_store

    store = open_store(get_settings())
    try:
        yield store
    finally:
        store.close()


def _check_ledger(verdict: Verdict, store: VectorStore) -> None:
    from app.worker.maintenance.ledger_check import verify_ledger

    verdict.broken += [f"verify: {problem}" for problem in verify_ledger(store).problems]


def _check_evidence(verdict: Verdict, scene: Scene) -> None:
    for job, attempt, number in scene.rows(
        "SELECT job_id, attempt, count(*) FROM training_evidence"
        " GROUP BY job_id, attempt HAVING count(*) > 1"
    ):
        verdict.doubled.append(f"job {job}, attempt {attempt}: {number} evidence rows")
    for job, attempts, number in scene.rows(
        "SELECT training_jobs.id, attempts, count(training_evidence.id) FROM training_jobs"
        " LEFT JOIN training_evidence ON job_id = training_jobs.id"
        " GROUP BY training_jobs.id, attempts HAVING attempts <> count(training_evidence.id)"
    ):
        verdict.broken.append(f"job {job}: {attempts} attempts, {number} evidence rows")
    if not scene.repeats:
        for job, number in scene.rows(
            "SELECT job_id, count(*) FROM training_evidence"
            " WHERE embedding_checksum IS NOT NULL GROUP BY job_id HAVING count(*) > 1"
        ):
            verdict.doubled.append(f"job {job} was embedded {number} times")


def _statuses() -> dict[str, set[str]]:
    """By path, the statuses of a file's jobs in all sessions."""
    from app.db.engine import get_sync_engine
    from app.db.models import ImageAsset, TrainingJob

    found: dict[str, set[str]] = {}
    rows = select(ImageAsset.path, TrainingJob.status).join(
        TrainingJob, TrainingJob.asset_id == ImageAsset.id
    )
    with get_sync_engine().connect() as conn:
        for path, status in conn.execute(rows):
            found.setdefault(path, set()).add(status)
    return found


def _check_fates(verdict: Verdict, scene: Scene, statuses: dict[str, set[str]]) -> None:
    """Every file has become what it should, or still waits for its turn."""
    for path, fate in (item for album in scene.albums for item in album.fates.items()):
        found = statuses.get(path, set())
        right = {
            "indexed": bool(found) and found <= {"completed", *UNDONE},
            "failed": bool(found) and found <= {"failed", *UNDONE},
            "left out": found <= {"failed", *UNDONE},
            "any": True,
        }[fate]
        if not right:
            verdict.lost.append(f"{path!r} should be {fate}, its jobs are {sorted(found)}")


def _check_vectors(
    verdict: Verdict, scene: Scene, store: VectorStore, statuses: dict[str, set[str]]
) -> None:
    """Decode and embed a sample anew, and compare with what is stored."""
    from app.db.engine import get_sync_engine
    from app.db.models import ImageAsset

    with get_sync_engine().connect() as conn:
        ids = {row.path: row.id for row in conn.execute(select(ImageAsset.id, ImageAsset.path))}
    wanted = (path for album in scene.albums for path in album.indexed())
    paths = [path for path in wanted if statuses.get(path) == {"completed"}]
    chosen = paths if len(paths) <= SAMPLE else paths[:: len(paths) // SAMPLE]
    if not chosen:
        return
    encoder = drawn_encoder()
    stored = store.vectors(encoder.collection, [ids[path] for path in chosen])
    for path, own in zip(chosen, embed(chosen), strict=True):
        vector = stored.get(ids[path])
        if vector is None:
            verdict.lost.append(f"{path!r} has no vector")
        elif (cosine := float(vector @ own)) < SAME:
            verdict.wrong.append(f"{path!r} has a vector of cosine {cosine:.3f} to its own")


@lru_cache(maxsize=1)
def drawn_encoder() -> Encoder:
    """The drawn model, loaded once for all verdicts of this process."""
    from app.embedding.loading import load_encoder

    return load_encoder(DRAWN_MODEL, "cpu", "fp32")


def embed(paths: Sequence[str]) -> NDArray[np.float32]:
    """The pictures' vectors, computed here and now."""
    from app.pictures.decode import decode, read_file

    spec = drawn_encoder().pixels
    pixels = [decode(read_file(path), Path(path).name, spec, 200).pixels for path in paths]
    return drawn_encoder().encode_images(np.stack(pixels))
