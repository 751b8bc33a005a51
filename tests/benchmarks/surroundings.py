"""What a measurement runs in: an empty data folder, default settings, a window without a screen."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from app.config import Settings, get_settings, variable
from app.db.engine import close_engines
from app.ui.shell.display import has_display

HERE = Path(__file__).parent
DRAWING_CODE = HERE.parent.parent / "packaging"
DRAWN_MODEL = str(HERE.parent / "drawn-model")
"""What pictures are indexed with: it costs little, so that the program is what is measured."""
FOLDERS = 8
CACHE = platformdirs.user_cache_path("afterimage") / "benchmarks"
"""What takes long to make is kept here for the next time."""


@contextmanager
def empty_data_folder() -> Iterator[Path]:
    """Settings as after installation, but the drawn model, for this process and what it starts."""
    before = dict(os.environ)
    for setting in Settings.model_fields:
        for name in (variable(setting), setting.upper()):
            os.environ.pop(name, None)
    if not has_display():
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    folder = Path(tempfile.mkdtemp(prefix="afterimage-bench-"))
    os.environ["AFTERIMAGE_DATA_DIR"] = str(folder)
    os.environ["AFTERIMAGE_MODEL"] = DRAWN_MODEL
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")  # thumbnails lie there
    get_settings.cache_clear()
    try:
        yield folder
    finally:
        asyncio.run(close_engines())
        get_settings.cache_clear()
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder, ignore_errors=True)


def peak_mb(pid: int | str = "self") -> float:
    """The most memory that a process has had since its program began, in megabytes of 10⁶ bytes.

    What ``getrusage`` tells is no less than that of the process that started it.
    """
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) * 1024 / 1e6


def use_drawing_code() -> None:
    """Make the modules that draw pictures importable."""
    if str(DRAWING_CODE) not in sys.path:
        sys.path.append(str(DRAWING_CODE))


def drawn_pictures(count: int) -> Path:
    """A folder of drawn pictures, kept in the system's cache for the next time."""
    folder = CACHE / f"drawn-{count}"
    if not folder.is_dir():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        _draw(partial, count)
        partial.rename(folder)
    return folder


def _draw(folder: Path, count: int) -> None:
    use_drawing_code()
    from drawing import draw, random_scene

    rng = random.Random(count)
    for index in range(count):
        parent = folder / f"folder {index % FOLDERS + 1}"
        parent.mkdir(parents=True, exist_ok=True)
        size = (rng.randint(96, 160), rng.randint(96, 160))
        picture = draw(random_scene(rng), size, supersample=1)
        picture.save(parent / f"{index:06}.jpg", quality=85)
