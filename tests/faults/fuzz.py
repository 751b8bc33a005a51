"""Coverage-guided fuzzing of everything that reads what others wrote.

    python tests/faults/fuzz.py [--minutes N] [--only TARGET]

Needs ``atheris``, which is not among the development packages. Each target runs in a process of
its own, which ends at the first input that is not answered as promised; that input is kept.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent.parent
NEEDED = "Fuzzing needs atheris: .venv/bin/python -m pip install 'atheris>=3,<4'"
LONGEST_INPUT = 1 << 16
ONE_INPUT_WITHIN_S = 30
MEGABYTES = 4096


def _must_say(message: str) -> None:
    if not message.strip():
        raise AssertionError("it is refused without a word")


def decode_picture() -> Callable[[bytes], object]:
    """A file's content gives pixels, or a sentence."""
    from app.pictures.decode import PictureError, PixelSpec, decode
    from app.pictures.files import FileContent

    spec = PixelSpec(64, "shortest", "bicubic", 0)
    endings = ("jpg", "png", "tif", "heic", "dng", "webp")

    def once(data: bytes) -> None:
        name = f"picture.{endings[len(data) % len(endings)]}"
        try:
            pixels = decode(FileContent(data, "", len(data), 0), name, spec, 20).pixels
            assert pixels.shape == (64, 64, 3)
        except PictureError as error:
            _must_say(error.message)

    return once


def read_settings() -> Callable[[bytes], object]:
    """A settings file gives settings, or a sentence."""
    from app.config import get_settings
    from app.errors import AppError

    folder = Path(os.environ["AFTERIMAGE_DATA_DIR"])
    folder.mkdir(exist_ok=True)

    def once(data: bytes) -> None:
        (folder / "settings.json").write_bytes(data)
        get_settings.cache_clear()
        try:
            get_settings()
        except AppError as error:
            _must_say(error.message)

    return once


def read_session() -> Callable[[bytes], object]:
    """What a script hands over as a session gives one, or says what is wrong."""
    from pydantic import ValidationError

    from app.api.training_schemas import SessionConfig, TrainingSessionCreate

    def once(data: bytes) -> None:
        for schema in (SessionConfig, TrainingSessionCreate):
            try:
                schema.model_validate_json(data)
            except ValidationError as error:
                _must_say(str(error))

    return once


def read_paths() -> Callable[[bytes], object]:
    """Any name comes back from the ledger as it was, and gives a payload without surrogates."""
    from app.db.types import normal_path, path_to_text, text_to_path
    from app.worker.maintenance.payloads import payload

    def once(data: bytes) -> None:
        path = normal_path("/" + os.fsdecode(data.replace(b"\0", b"")))
        assert text_to_path(path_to_text(path)) == path
        for folder in payload(path, {"mtime_ns": 0}, [1])["folder"]:
            folder.encode()

    return once


def read_address() -> Callable[[bytes], object]:
    """The address of the queue's server, as some process left it, gives one or none."""
    from app.queue.connection import address_file, embedded_server

    address_file().parent.mkdir(parents=True, exist_ok=True)

    def once(data: bytes) -> None:
        address_file().write_bytes(data)
        embedded_server()

    return once


def read_job() -> Callable[[bytes], object]:
    """What lies in the queue is a job of a listed function with JSON for arguments, or none."""
    from redis import Redis
    from rq.exceptions import DeserializationError, NoSuchJobError

    from app.queue.jobs import KnownJob, UnknownFunctionError
    from app.worker.functions import FUNCTIONS

    nowhere = Redis()  # nothing is sent

    def once(data: bytes) -> None:
        job = KnownJob("job", connection=nowhere)
        stored = data if len(data) % 3 == 0 else zlib.compress(data)
        try:
            job.restore({b"created_at": b"2024-01-01T00:00:00Z", b"data": stored, b"meta": data})
            function = job.func
        except (DeserializationError, NoSuchJobError, UnknownFunctionError):
            return
        if function not in FUNCTIONS.values():
            raise AssertionError(f"{function} is not on the list")

    return once


TARGETS: dict[str, Callable[[], Callable[[bytes], object]]] = {
    "decode": decode_picture,
    "settings": read_settings,
    "session": read_session,
    "paths": read_paths,
    "address": read_address,
    "job": read_job,
}
SEEDS = {
    "settings": b'{"model": "builtin", "device": "cuda:1", "training_batch_size": 32}',
    "session": b'{"name": "x", "rootPath": "/a", "subdirectories": ["/a/b"], "config": {'
    b'"recursive": true, "extensions": ["jpg"], "batch_size": 4, "watch": false}}',
    "paths": b"a/b \xff\xfe/../c//d800.jpg",
    "address": b'{"socket": "/run/queue.sock", "pid": 1}',
    "job": b'["app.queue.training_jobs.train_session", null, [], {"session_id": 1}]',
}
"""What a target begins with; ``decode`` has a picture of every format and mode."""
SHARES = {"decode": 6.0}
"""How much more of the time than the others a target gets."""


def main() -> int:
    """Fuzz every target for its share of the time; the exit code."""
    parser = argparse.ArgumentParser(description="Fuzz what reads files and messages.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--only", choices=TARGETS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print(NEEDED)
        return 2
    if wanted.child:
        _fuzz(wanted.only)
        return 0
    names = [wanted.only] if wanted.only else list(TARGETS)
    whole = sum(SHARES.get(name, 1.0) for name in names)
    bad = 0
    for name in names:
        bad += _start(name, round(60 * wanted.minutes * SHARES.get(name, 1.0) / whole))
    return min(bad, 1)


def _start(name: str, seconds: int) -> int:
    place = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    (place / "corpus").mkdir()
    for number, data in enumerate(_seeds(name)):
        (place / "corpus" / str(number)).write_bytes(data)
    print(f"{name}: {seconds} s in {place}", flush=True)
    done = subprocess.run(
        [sys.executable, __file__, "--child", "--only", name],
        env=os.environ
        | {
            "AFTERIMAGE_DATA_DIR": str(place / "data"),
            "FUZZ_PLACE": str(place),
            "FUZZ_SECONDS": str(max(seconds, 1)),
            "PYTHONPATH": os.pathsep.join((str(REPOSITORY), *sys.path)),
        },
        cwd=place,
    )
    print(f"{name}: {'well' if done.returncode == 0 else f'an input is kept in {place}'}")
    return int(done.returncode != 0)


def _seeds(name: str) -> list[bytes]:
    if name != "decode":
        return [SEEDS[name]]
    from broken_pictures import seeds

    return list(seeds())


def _fuzz(name: str) -> None:
    import atheris

    with atheris.instrument_imports(
        include=["app", "PIL", "pydantic"], enable_loader_override=False
    ):
        once = TARGETS[name]()
    place = os.environ["FUZZ_PLACE"]
    arguments: list[Any] = [
        sys.argv[0],
        f"{place}/corpus",
        f"-artifact_prefix={place}/",
        f"-max_total_time={os.environ['FUZZ_SECONDS']}",
        f"-max_len={LONGEST_INPUT}",
        f"-timeout={ONE_INPUT_WITHIN_S}",
        f"-rss_limit_mb={MEGABYTES}",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup(arguments, once)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
