"""A great many pictures with a model that answers at once: nothing else than the index may grow.

The window is open meanwhile; a command follows the session. Memory is what the processes own
(anonymous pages): what the system may take back at any time is not theirs. The worker holds the
index of all vectors in memory; how much that is, a fresh process tells that opens it afterwards.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from injection import Step
from scene import Role, Scene

FROM_SHARE = 0.1
"""Of the pictures, after which nothing may grow any more: 100,000 of a million."""
MAY_GROW = 1.10
MORE_HANDLES, MORE_THREADS = 8, 4
"""What may be open for a moment in one look and not in another."""
LOOK_S = 5.0
IN_A_FOLDER = 1_000
SIDE = 8
LOG_FILES, LOG_BYTES = 4, 2_100_000
PER_PICTURE_S = 0.02
WATCHED: tuple[Role, ...] = ("window", "worker", "decoder")


@dataclass(slots=True)
class Course:
    """How one kind of process went on: one number for each look, all its processes together."""

    megabytes: list[float] = field(default_factory=list)
    handles: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def problems(self, role: str, index_megabytes: float = 0.0) -> Iterator[str]:
        """What grew, from the first looks to the last ones.

        Args:
            index_megabytes: so much more the index of vectors took at the end.
        """
        if len(self.megabytes) < 4:
            yield f"{role}: too few looks to tell"
            return
        some = max(len(self.megabytes) // 10, 2)
        before, after = (statistics.median(s) for s in (self.megabytes[:some],
                                                         self.megabytes[-some:]))  # fmt: skip
        if after > before * MAY_GROW + index_megabytes:
            yield f"{role}: memory went from {before:.0f} to {after:.0f} MB"
        for what, numbers, more in (
            ("handles", self.handles, MORE_HANDLES),
            ("threads", self.threads, MORE_THREADS),
        ):
            first, last = statistics.median(numbers[:some]), statistics.median(numbers[-some:])
            if last > first + more:
                yield f"{role}: {what} went from {first:.0f} to {last:.0f}"


def endure(pictures: int, result: Path | None) -> int:
    """Index so many pictures and say what grew; the exit code."""
    scene = Scene(Path(tempfile.mkdtemp(prefix="scene-million-")))
    courses = {role: Course() for role in WATCHED}
    began = time.monotonic()
    try:
        folder = scene.place / "pictures"
        write_small_pictures(folder, pictures)
        print(f"{pictures:,} pictures written in {time.monotonic() - began:.0f} s", flush=True)
        problems = _index(scene, folder, pictures, courses)
    finally:
        left = scene.end()
    problems += left + list(_logs(scene.data / "logs"))
    index = index_megabytes(scene.data / "vectors")
    for role, course in courses.items():
        grown = (1 - FROM_SHARE) * index if role == "worker" else 0.0
        problems += course.problems(role, grown) if course.megabytes else []
    figures = {
        "pictures": pictures,
        "seconds": round(time.monotonic() - began),
        "problems": problems,
        "index_megabytes": round(index),
        "courses": {
            role: {
                "megabytes": [round(value, 1) for value in course.megabytes],
                "handles": course.handles,
                "threads": course.threads,
            }
            for role, course in courses.items()
        },
    }
    for role, course in courses.items():
        if course.megabytes:
            print(
                f"{role:<8} MB {course.megabytes[0]:8.1f} → {course.megabytes[-1]:8.1f}"
                f"   handles {course.handles[0]:5} → {course.handles[-1]:5}"
                f"   threads {course.threads[0]:4} → {course.threads[-1]:4}"
            )
    print(f"The index of vectors takes {index:.0f} MB.")
    print("\n".join(problems) or "Nothing else grew.")
    if result:
        result.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    scene.clear()
    return 1 if problems else 0


def _index(scene: Scene, folder: Path, pictures: int, courses: dict[Role, Course]) -> list[str]:
    step = Step(
        "app.worker.context:WorkerContext.encoder", "replace", value="instant_model:instant_encoder"
    )
    scene.window(step)
    scene.until(lambda: (scene.data / "run" / "worker.json").exists(), "no worker is ready")
    scene.start("index", str(folder), "--json", steps=None)
    deadline = time.monotonic() + 300 + PER_PICTURE_S * pictures
    said = 0
    while True:
        time.sleep(LOOK_S if pictures > 50_000 else 0.5)
        session = scene.session()
        if session is None:
            continue
        if session.done >= FROM_SHARE * pictures and session.status == "running":
            look(scene, courses)
        if session.done >= said:
            print(f"{session.done:>9,} of {session.total:,}", flush=True)
            said += pictures // 10
        if session.status not in ("pending", "running"):
            break
        if time.monotonic() > deadline:
            return [f"it takes too long: {session}"]
    good = session.status == "completed" and session.done == pictures
    return [*scene.plan.unknown(), *([] if good else [f"the session did not go well: {session}"])]


def index_megabytes(vectors: Path) -> float:
    """What a process holds in memory once it has opened a vector store, and did not before."""
    opening = (
        "import pathlib, sys; from endurance import own_megabytes; from psutil import Process;"
        "from app.vectors.embedded import EmbeddedStore; before = own_megabytes(Process());"
        "store = EmbeddedStore(pathlib.Path(sys.argv[1]));"
        "[store.count(name) for name in store.collections()];"
        "print(own_megabytes(Process()) - before); store.close()"
    )
    command = [sys.executable, "-c", opening, str(vectors)]
    here = Path(__file__).parent
    paths = os.pathsep.join(map(str, (here, here.parent, here.parents[1])))
    opened = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": paths},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(opened.stdout)


def look(scene: Scene, courses: dict[Role, Course]) -> None:
    """Enter what the processes have at this moment."""
    for role, course in courses.items():
        processes = scene.of(role)
        if processes:
            course.megabytes.append(sum(map(own_megabytes, processes)))
            course.handles.append(sum(process.num_fds() for process in processes))
            course.threads.append(sum(process.num_threads() for process in processes))


def own_megabytes(process: psutil.Process) -> float:
    """Anonymous pages of a process; 0 where it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _logs(folder: Path) -> Iterator[str]:
    """Logs are begun anew when they are large, and old ones are removed."""
    by_name: dict[str, list[Path]] = {}
    for path in folder.iterdir():
        by_name.setdefault(path.name.split(".log")[0], []).append(path)
    for name, paths in by_name.items():
        if len(paths) > LOG_FILES or any(path.stat().st_size > LOG_BYTES for path in paths):
            sizes = [f"{path.name}: {path.stat().st_size:,}" for path in paths]
            yield f"the logs of {name} are not rotated: {sizes}"


def write_small_pictures(root: Path, number: int) -> None:
    """Distinct PNGs of 8 by 8 pixels, 1,000 in a folder."""
    rng = random.Random(number)
    for start in range(0, number, IN_A_FOLDER):
        folder = root / f"{start // IN_A_FOLDER:05}"
        folder.mkdir(parents=True)
        for index in range(start, min(start + IN_A_FOLDER, number)):
            (folder / f"{index:07}.png").write_bytes(_png(rng.randbytes(3 * SIDE * SIDE)))


def _png(pixels: bytes) -> bytes:
    row = 3 * SIDE
    lines = b"".join(b"\0" + pixels[at : at + row] for at in range(0, len(pixels), row))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
