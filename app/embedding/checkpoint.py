"""From the name of a model to the model: finding or downloading its weights, and building it."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from torch.overrides import TorchFunctionMode

from app.config import BUILTIN_MODEL
from app.embedding.catalogue import check_model, model_folder, nearest, weights_file
from app.embedding.download import download
from app.embedding.folding import fold_batch_norms, fold_same_padding
from app.embedding.memory import is_out_of_memory
from app.embedding.open_clip_import import import_open_clip
from app.embedding.weights import find_weights
from app.errors import AppError, first_line

open_clip = import_open_clip()


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
    with ThreadPoolExecutor(1, "digest") as beside:
        digest = beside.submit(_digest, source.weights)
        try:
            with _NoInitialization():
                model = open_clip.create_model(
                    source.identifier, require_pretrained=True, **source.options
                )
        except Exception as error:
            raise _cannot_build(source, error) from error
    fold_batch_norms(model.eval())
    if isinstance(model.visual, open_clip.timm_model.TimmModel):
        fold_same_padding(model.visual, model.visual.image_size)
    try:
        tokenizer = open_clip.get_tokenizer(source.identifier)
    except (OSError, ValueError, ImportError) as error:
        raise AppError(
            f"The tokenizer of the model {source.name} is missing or damaged.",
            "Put its files next to the weights; if they have to be downloaded, go online.",
        ) from error
    return Checkpoint(model, tokenizer, source.name, source.version, digest.result())


class _NoInitialization(TorchFunctionMode):
    """Within it no random numbers are drawn for weights, which the file's replace anyway."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        _types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = kwargs or {}
        if getattr(func, "__module__", None) == torch.nn.init.__name__:
            return options["tensor"] if "tensor" in options else args[0]
        return func(*args, **options)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _find(spec: str) -> _Source:
    """What a checked spec stands for."""
    if folder := model_folder(spec):
        built_in = spec == BUILTIN_MODEL
        weights = weights_file(folder)
        assert weights is not None  # check_model saw to it
        return _Source(
            BUILTIN_MODEL if built_in else folder.name,
            "built-in" if built_in else "local",
            f"local-dir:{folder}",
            weights,
        )
    name, _, tag = spec.rpartition("/")
    config = _pretrained(spec)
    weights = find_weights(spec, config["hf_hub"]) or download(spec, config["hf_hub"])
    assert weights is not None  # nobody can stop it
    # OpenCLIP is told the file instead of the tag, so that what is hashed is what is loaded.
    options = {
        "pretrained": str(weights),
        "force_quick_gelu": config.get("quick_gelu", False),
        "force_preprocess_cfg": {
            key: config.get(key) for key in ("mean", "std", "interpolation", "resize_mode")
        },
    }
    return _Source(name, tag, name, weights, options)


def hub_path(spec: str) -> str:
    """Where the hub has the weights of a checked ``name/pretrained``.

    Raises:
        AppError: OpenCLIP knows no weights of that name.
    """
    return str(_pretrained(spec)["hf_hub"])


def _pretrained(spec: str) -> dict[str, Any]:
    """What OpenCLIP knows of the weights of ``name/pretrained``."""
    name, _, tag = spec.rpartition("/")
    config: dict[str, Any] = open_clip.get_pretrained_cfg(name, tag)
    if not config:
        raise _unknown_tag(name, tag)
    return config


def _unknown_tag(name: str, tag: str) -> AppError:
    tags = open_clip.list_pretrained_tags_by_model(name)
    if not tags:
        return AppError(f"OpenCLIP has no weights for the model {name}.", "Choose another model.")
    return AppError(
        f"The model {name} has no weights called {tag}.",
        f"Choose one of these: {nearest(tag, tags) or ', '.join(tags)}.",
    )


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
            f"The weights file {source.weights} is damaged or incomplete.",
            "Delete it, then download or copy it again.",
        )
    if "loading state_dict" in text or "pos_embed" in text:
        return AppError(
            f"The weights in {source.weights} belong to a model other than {source.name}.",
            "Choose a folder whose configuration and weights were saved together.",
        )
    return AppError(
        f"The model {source.name} cannot be built: {first_line(error)}.",
        "Check its configuration, or choose another model.",
    )
