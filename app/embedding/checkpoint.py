"""From the name of a model to the model: finding or downloading its weights, and building it."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import huggingface_hub
import open_clip
import torch
from open_clip import pretrained
from safetensors import SafetensorError

from app.config import DEMO_MODEL
from app.embedding.models import check_model, model_folder, nearest, weights_file
from app.errors import AppError, first_line

_CONNECT_SECONDS = 5.0
_USUAL_FILE = "open_clip_pytorch_model.bin"
_OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "ALLOC_FAILED")


class Checkpoint(NamedTuple):
    """A model with its weights, on the CPU in fp32, and the names that its vectors go by."""

    model: Any
    tokenizer: Any
    name: str
    version: str
    digest: str
    """SHA-256 of the file of weights, in hexadecimal."""


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    version: str
    identifier: str
    """What OpenCLIP calls it."""
    weights: Path
    options: dict[str, Any] = field(default_factory=dict)
    """What else ``open_clip.create_model`` is told."""


def load_checkpoint(spec: str) -> Checkpoint:
    """Build a model; its weights are downloaded if need be.

    Raises:
        AppError: there is no such model, its files are missing, damaged or do not belong
            together, it cannot be downloaded, or memory does not suffice.
    """
    source = _find(check_model(spec))
    try:
        model = open_clip.create_model(source.identifier, require_pretrained=True, **source.options)
    except Exception as error:
        raise _cannot_build(source, error) from error
    try:
        tokenizer = open_clip.get_tokenizer(source.identifier)
    except (OSError, ValueError, ImportError) as error:
        raise AppError(
            f"The tokenizer of the model {source.name} is missing or damaged.",
            "Put its files beside the weights; where they are downloaded, connect to the internet.",
        ) from error
    with source.weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Checkpoint(model, tokenizer, source.name, source.version, digest)


def reason(error: BaseException) -> str:
    """An error's first line as the end of a sentence."""
    return first_line(error).rstrip(" .:")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on the computer or on an accelerator."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)
    )


def _find(spec: str) -> _Source:
    """What a checked spec stands for."""
    if folder := model_folder(spec):
        built_in = spec == DEMO_MODEL
        weights = weights_file(folder)
        assert weights is not None  # check_model saw to it
        return _Source(
            DEMO_MODEL if built_in else folder.name,
            "built-in" if built_in else "local",
            f"local-dir:{folder}",
            weights,
        )
    name, _, tag = spec.rpartition("/")
    config = pretrained.get_pretrained_cfg(name, tag)
    if not config:
        raise _unknown_tag(name, tag)
    weights = _cached(config["hf_hub"]) or _download(spec, config)
    # OpenCLIP is told the file instead of the tag, so that what is hashed is what is loaded.
    options = {
        "pretrained": str(weights),
        "force_quick_gelu": config.get("quick_gelu", False),
        "force_preprocess_cfg": {
            key: config.get(key) for key in ("mean", "std", "interpolation", "resize_mode")
        },
    }
    return _Source(name, tag, name, weights, options)


def _unknown_tag(name: str, tag: str) -> AppError:
    tags = open_clip.list_pretrained_tags_by_model(name)
    if not tags:
        return AppError(f"OpenCLIP has no weights for the model {name}.", "Choose another model.")
    return AppError(
        f"The model {name} has no weights called {tag}.",
        f"Choose one of these: {nearest(tag, tags) or ', '.join(tags)}.",
    )


def _cached(hub_path: str) -> Path | None:
    """Weights that were downloaded before: from then on the hub is not asked again.

    Args:
        hub_path: ``owner/repository/``, with the name of the file where it is not the usual one.
    """
    repository, _, file = hub_path.rpartition("/")
    # OpenCLIP prefers the same weights as safetensors
    safe = Path(file).with_suffix(".safetensors").name if file else "open_clip_model.safetensors"
    for name in (safe, file or _USUAL_FILE):
        path = huggingface_hub.try_to_load_from_cache(repository, name)
        if isinstance(path, str):
            return Path(path)
    return None


def _download(spec: str, config: dict[str, Any]) -> Path:
    failed = f"The model {spec} is not on this computer yet and could not be downloaded"
    hub = huggingface_hub.constants.ENDPOINT
    try:
        # A dead network shows here within seconds; the download itself would retry for minutes.
        huggingface_hub.get_session().head(hub, timeout=_CONNECT_SECONDS)
    except Exception as error:
        raise AppError(
            f"{failed}: no network.",
            f"Connect to the internet, or set MODEL to the folder of a model or to {DEMO_MODEL}.",
        ) from error
    try:
        return Path(pretrained.download_pretrained(config))
    except (OSError, RuntimeError) as error:
        raise AppError(
            f"{failed}: {reason(_root(error))}.",
            "Check that the disk is not full and try again; what was downloaded is kept.",
        ) from error


def _root(error: BaseException) -> BaseException:
    """What an error began with; OpenCLIP's own text is long and repeats it."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error


def _cannot_build(source: _Source, error: Exception) -> AppError:
    """The likely reason; every library has exceptions of its own for a bad file."""
    text = str(error)
    if is_out_of_memory(error):
        return AppError(
            f"There is not enough memory to load the model {source.name}.",
            "Close other programs or choose a smaller model.",
        )
    if (
        isinstance(error, SafetensorError | pickle.UnpicklingError | EOFError)
        or "PytorchStreamReader" in text
    ):
        return AppError(
            f"The file of weights {source.weights} is damaged or cut off.",
            "Delete it, then download or copy it again.",
        )
    if "loading state_dict" in text or "pos_embed" in text:
        return AppError(
            f"The weights in {source.weights} belong to another model than {source.name}.",
            "Choose a folder whose configuration and weights were saved together.",
        )
    return AppError(
        f"The model {source.name} cannot be built: {reason(error)}.",
        "Check its configuration, or choose another model.",
    )
