"""The weights that lie on this computer; imports neither torch nor open_clip.

What this program downloads lies in the data folder, one folder a model. A file under its own name
is complete and checked; until then it ends in ``.partial``.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

from app.config import get_settings
from app.errors import AppError
from app.private_files import child

PARTIAL = ".partial"
LOCK = "download.lock"
"""Held by the one process that downloads or removes the model."""
_COMPLETE = (".safetensors", ".bin")
_SAFE_WEIGHTS = "open_clip_model.safetensors"
_USUAL_WEIGHTS = "open_clip_pytorch_model.bin"


def models_folder() -> Path:
    """Where all downloaded models lie."""
    return get_settings().data_dir / "models"


def weights_folder(spec: str) -> Path:
    """Where the weights of ``name/pretrained`` lie once they are downloaded.

    Raises:
        AppError: no model can be called so, or a link leads from there to another place.
    """
    parts = spec.split("/")
    if len(parts) < 2 or {"", ".", ".."} & set(parts):
        raise AppError(
            f"“{spec}” is not a model that can be downloaded.",
            "Give its name and that of its weights, as in the list of models.",
        )
    return child(models_folder(), spec.replace("/", "--"))


def downloaded(spec: str) -> Path | None:
    """The complete file of weights in the data folder; None where there is none."""
    return next((path for path in files(spec) if path.suffix in _COMPLETE), None)


def partly_downloaded(spec: str) -> int:
    """Bytes of a download that was begun; 0 where none was."""
    parts = (path for path in files(spec) if path.suffix == PARTIAL)
    return sum(size_of(path) for path in parts)


def find_weights(spec: str, hub_path: str) -> Path | None:
    """Weights that are on this computer, downloaded by this program or by another one.

    Args:
        hub_path: ``owner/repository/``, with the name of the file where it is not the usual one.
    """
    if found := downloaded(spec):
        return found
    from huggingface_hub import try_to_load_from_cache

    repository, names = names_on_hub(hub_path)
    for name in names:
        path = try_to_load_from_cache(repository, name)
        if isinstance(path, str):
            return Path(path)
    return None


def remove(spec: str) -> int:
    """Delete the weights that this program downloaded; the bytes that this sets free.

    Raises:
        AppError: they are being downloaded, or cannot be deleted.
    """
    folder = weights_folder(spec)
    freed = sum(size_of(path) for path in files(spec))
    try:
        with FileLock(folder / LOCK, timeout=0):
            for path in files(spec):
                if path.name != LOCK:
                    path.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    except Timeout as error:
        raise AppError(
            f"The model {spec} is being downloaded.", "Stop the download first."
        ) from error
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise AppError(
            f"The weights in {folder} cannot be deleted: {error.strerror}.",
            "Check the permissions of that folder.",
        ) from error
    return freed


def files(spec: str) -> list[Path]:
    """Everything in the folder of a model."""
    try:
        return sorted(path for path in weights_folder(spec).iterdir() if path.is_file())
    except (OSError, AppError):
        return []


def size_of(path: Path) -> int:
    """Bytes; 0 where the file is gone."""
    try:
        return path.stat().st_size
    except OSError:  # renamed or deleted meanwhile
        return 0


def names_on_hub(hub_path: str) -> tuple[str, tuple[str, str]]:
    """The repository, and the names that its weights may have, the wanted one first."""
    repository, _, file = hub_path.rpartition("/")
    # OpenCLIP, too, prefers the same weights as safetensors
    safe = f"{os.path.splitext(file)[0]}.safetensors" if file else _SAFE_WEIGHTS
    return repository, (safe, file or _USUAL_WEIGHTS)
