"""Where the engine is: installed beside the program, or in the data folder, or not here yet.

In the data folder each engine has a folder of its own, ``engine/VERSION-VARIANT``, with the
packages as an environment of Python has them. The file ``engine/current`` names the one in use; it
is replaced as a whole, so there is always one engine, or none.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from filelock import FileLock, Timeout

from app.config import get_settings
from app.errors import AppError
from app.private_files import replace_file

NEEDED = ("torch", "open_clip", "transformers")
"""Modules without which there is no engine; where these are, the rest was installed with them."""
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
"""Packages with compiled parts fit one version of Python."""
PARTIAL = ".partial"
LOCK = "install.lock"
_CURRENT = "current"
_ABOUT = "engine.json"

MISSING = "The engine that understands pictures is not installed."
HOW = "Install it on the page Models, or with: afterimage engine install"


class EngineMissingError(AppError):
    """Without the engine no picture can be looked at; whoever needs it waits until it is here."""

    def __init__(self) -> None:
        super().__init__(MISSING, f"{HOW}.", transient=True)


@dataclass(frozen=True, slots=True)
class Engine:
    """What an engine in the data folder says of itself."""

    version: str
    variant: str
    """``cpu``, ``cuda`` or ``rocm``."""
    python: str
    size: int
    """Bytes on the disk."""

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.version}-{self.variant}"


def engines_folder() -> Path:
    """Where the engines of this data folder lie."""
    return get_settings().data_dir / "engine"


def is_beside() -> bool:
    """Whether the engine is installed as other packages of the program are."""
    own = str(engines_folder())
    places = [place for place in sys.path if not place.startswith(own)]
    return all(PathFinder.find_spec(name, places) is not None for name in NEEDED)


def current() -> Engine | None:
    """The engine in the data folder that is in use; None where there is none, or none that fits
    this version of Python."""
    try:
        name = (engines_folder() / _CURRENT).read_text(encoding="utf-8").strip()
        known = json.loads((engines_folder() / name / _ABOUT).read_text(encoding="utf-8"))
        engine = Engine(**known)
    except (OSError, ValueError, TypeError):
        return None
    return engine if (engine.name, engine.python) == (name, PYTHON) else None


def find_engine() -> bool:
    """Whether there is an engine; from now on this process can import it."""
    if NEEDED[0] in sys.modules or is_beside():
        return True
    engine = current()
    if engine is None:
        return False
    if (place := str(engines_folder() / engine.name)) not in sys.path:
        sys.path.append(place)  # behind the program's own packages, which it was tested with
        importlib.invalidate_caches()
    return True


def require_engine() -> None:
    """Raise an EngineMissingError unless this process can import the engine."""
    if not find_engine():
        raise EngineMissingError


def describe(folder: Path, engine: Engine) -> None:
    """Have the folder of an engine say what it is.

    Raises:
        OSError: it cannot be written.
    """
    replace_file(folder / _ABOUT, json.dumps(asdict(engine), indent=2) + "\n")


def switch_to(engine: Engine | None) -> None:
    """Make this the engine in use, for every process that looks for one from now on.

    Raises:
        OSError: the file cannot be written.
    """
    file = engines_folder() / _CURRENT
    if engine is None:
        file.unlink(missing_ok=True)
    else:
        replace_file(file, f"{engine.name}\n")


def engine_lock(within_s: float) -> FileLock:
    """Held by whoever installs or removes an engine; raises filelock's Timeout after so long."""
    engines_folder().mkdir(parents=True, exist_ok=True)
    return FileLock(engines_folder() / LOCK, timeout=within_s)


def remove_others() -> None:
    """Delete engines that are no longer in use; by the one process that would use them."""
    folder, used = engines_folder(), current()
    if used is None or not folder.is_dir():
        return
    try:
        with engine_lock(0):
            for other in folder.iterdir():
                if (other / _ABOUT).is_file() and other.name != used.name:
                    shutil.rmtree(other, ignore_errors=True)
    except (Timeout, OSError):  # somebody is at it; the next worker tidies up
        return
