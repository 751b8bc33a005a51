"""Which models can be chosen, and whether a choice can work; loads no model and no torch.

A model is named by its *spec*: ``builtin``, a folder in OpenCLIP's layout, or ``name/pretrained``,
an architecture that OpenCLIP knows and the tag of weights that were trained for it.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from app.bundled import RESOURCES
from app.config import BUILTIN_MODEL
from app.engine.place import require_engine
from app.errors import AppError

CONFIG_FILE = "open_clip_config.json"
WEIGHTS_FILES = (  # in the order in which OpenCLIP prefers them
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
)
_BUILTIN_FOLDER = RESOURCES / "builtin-model"


class ModelError(AppError):
    """A model cannot be had; another one may take its place."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model that is worth choosing, and what a person wants to know before doing so."""

    spec: str
    title: str
    description: str
    download_mb: int
    """Size of the weights in megabytes of 10⁶ bytes; 0 where nothing is downloaded."""
    dimension: int
    """Components of an embedding."""
    languages: str
    hub_path: str = ""
    """Where the hub has its weights: ``owner/repository/``, and the file's name if unusual."""
    parameters_m: float = 0.0
    """Millions."""
    pixels: int = 0
    """Side of the square that it sees."""
    cost: float = 1.0
    """Time for a picture, where the built-in model takes 1, by the operations of its image tower;
    a measurement on the computer at hand is better."""
    figures: str = ""
    """Published measurements, empty where there are none: how many of ImageNet's photographs it
    names, how many of COCO's are among five that it finds by their captions."""
    licence: str = ""
    """Of the weights."""


RECOMMENDED = ModelChoice(
    "ViT-B-32-256/datacomp_s34b_b86k",
    "CLIP ViT-B/32-256",
    "Fast on any computer, and good with photographs of every kind.",
    605,
    512,
    "English",
    "laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K/",
    151.3,
    256,
    5.2,
    "ImageNet 73 %, COCO 65 %",
    "MIT",
)
"""For a person who describes pictures in English."""

RECOMMENDED_FOR_OTHERS = ModelChoice(
    "ViT-B-32-SigLIP2-256/webli",
    "SigLIP 2 ViT-B/32",
    "As fast as CLIP ViT-B/32, finds more, and understands many languages.",
    1507,
    768,
    "many",
    "timm/ViT-B-32-SigLIP2-256/",
    376.9,
    256,
    5.2,
    "Crossmodal-3600: English 73 %, German 84 %",
    "Apache-2.0",
)
"""For everybody else."""

CURATED = (
    RECOMMENDED,
    RECOMMENDED_FOR_OTHERS,
    ModelChoice(
        "ViT-B-16-SigLIP2-256/webli",
        "SigLIP 2 ViT-B/16",
        "The most accurate of these, in many languages; sees smaller details and takes four times "
        "as long as ViT-B/32.",
        1501,
        768,
        "many",
        "timm/ViT-B-16-SigLIP2-256/",
        375.2,
        256,
        21.0,
        "",
        "Apache-2.0",
    ),
    ModelChoice(
        "ViT-B-32/laion2b_s34b_b79k",
        "CLIP ViT-B/32",
        "A little faster than the same with 256 pixels; knows fewer things by their names.",
        605,
        512,
        "English",
        "laion/CLIP-ViT-B-32-laion2B-s34B-b79K/",
        151.3,
        224,
        4.0,
        "ImageNet 67 %, COCO 65 %",
        "MIT",
    ),
    ModelChoice(
        BUILTIN_MODEL,
        "Built-in model",
        "Comes with the program and finds about a thousand kinds of animals, things and places in "
        "photographs; it knows nothing about people, actions, colours or text.",
        0,
        512,
        "English",
        parameters_m=22.0,
        pixels=260,
        licence="Apache-2.0",
    ),
)
"""Every model that the program recommends."""


def check_model(spec: str) -> str:
    """The spec in its normal form, if nothing that can be seen at once speaks against it.

    Tags of weights are checked when the model is loaded: only OpenCLIP itself knows them.

    Returns:
        ``builtin``, the absolute path of a folder, or ``name/pretrained`` as OpenCLIP spells it.

    Raises:
        AppError: there is no such model, it is incomplete, or cannot be loaded. Names that are
            not recommended can be told only once the engine is there.
    """
    spec = spec.strip()
    if not spec:
        raise AppError(
            "No model is chosen.", f"Set AFTERIMAGE_MODEL to {RECOMMENDED.spec}, for example."
        )
    if spec == BUILTIN_MODEL:
        _check_folder(_BUILTIN_FOLDER)
        return spec
    if any(choice.spec == spec for choice in CURATED):
        return spec
    folder = Path(os.path.expanduser(spec)).absolute()
    if folder != Path(spec) and (known := _known_name(spec)):
        return known
    if os.path.lexists(folder):
        _check_folder(folder)
        return str(folder)
    if folder == Path(spec) or spec.startswith((".", "~")):
        raise AppError(
            f"There is no folder {folder}.", "Choose the folder that contains the model."
        )
    raise _unknown(spec)


def recommended(language: str) -> ModelChoice:
    """The model to recommend to a person.

    Args:
        language: theirs, as ISO 639 writes it, such as ``de`` or ``en_GB``.
    """
    return RECOMMENDED if is_english(language) else RECOMMENDED_FOR_OTHERS


def is_english(language: str) -> bool:
    """Whether a language as ISO 639 writes it is English; one that is not known counts as it."""
    return language.replace("-", "_").partition("_")[0].lower() in ("", "c", "en", "posix")


def reads_english_only(spec: str) -> bool:
    """Whether a model is known to understand no other language."""
    return any(choice.spec == spec and choice.languages == "English" for choice in CURATED)


def model_title(spec: str) -> str:
    """What to call a model in the window; never fails, so that old sessions can be shown."""
    for choice in CURATED:
        if choice.spec == spec:
            return choice.title
    if Path(spec).is_absolute():
        return Path(spec).name
    return " · ".join(spec.rsplit("/", 1))


def model_folder(spec: str) -> Path | None:
    """Where the files of a checked spec lie, unless OpenCLIP downloads them."""
    if spec == BUILTIN_MODEL:
        return _BUILTIN_FOLDER
    return Path(spec) if Path(spec).is_absolute() else None


def architecture_config(spec: str) -> dict[str, Any]:
    """OpenCLIP's configuration of ``name/pretrained``; empty for another spec."""
    file = _architectures().get(spec.rpartition("/")[0])
    return json.loads(file.read_text(encoding="utf-8")) if file else {}


def weights_file(folder: Path) -> Path | None:
    """The file of weights that OpenCLIP takes from a folder; None where there is none."""
    files = (folder / name for name in WEIGHTS_FILES)
    return next((file for file in files if file.is_file()), None)


def nearest(name: str, names: Iterable[str]) -> str:
    """The up to three names most like a wrong one, for a hint; empty where none is."""
    spelling = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), spelling, n=3, cutoff=0.5)
    return ", ".join(spelling[found] for found in close)


def _known_name(spec: str) -> str:
    """``name/pretrained`` in OpenCLIP's spelling; empty where the name is no architecture."""
    name, _, tag = spec.rpartition("/")
    files = _architectures()
    spelling = {known.lower(): known for known in files}
    # OpenCLIP takes ViT-B/32 for ViT-B-32, and tags in any spelling
    architecture = spelling.get(name.replace("/", "-").lower())
    if architecture is None or not tag.strip():
        return ""
    config = json.loads(files[architecture].read_text(encoding="utf-8"))
    _check_packages(architecture, config)
    return f"{architecture}/{tag.strip().lower().replace('-', '_')}"


def _unknown(spec: str) -> AppError:
    """No folder and no ``name/pretrained``: say what might have been meant."""
    architectures = _architectures()
    whole = spec.strip("/").replace("/", "-")
    if whole.lower() in (name.lower() for name in architectures):
        return AppError(
            f"The model name {spec} does not say which weights to use.",
            f"Write it as {spec.strip('/')}/ and a tag, for example {RECOMMENDED.spec}.",
        )
    name = spec.rpartition("/")[0] or spec
    close = nearest(name, architectures)
    return AppError(
        f"OpenCLIP has no model {spec}, and there is no such folder.",
        f"Did you mean {close}?" if close else f"Choose {RECOMMENDED.spec}, for example.",
    )


@cache
def _architectures() -> dict[str, Path]:
    """Names that OpenCLIP can build, and their configurations; it need not be imported for that."""
    require_engine()
    package = find_spec("open_clip")
    assert package is not None
    configs = (Path(package.origin or "").parent / "model_configs").glob("*.json")
    return {file.stem: file for file in sorted(configs)}


def _check_folder(folder: Path) -> None:
    """A folder has a configuration that makes sense, and weights."""
    if not folder.is_dir():
        raise AppError(
            f"{folder} is not a folder with a model.",
            f"Choose a folder that contains {CONFIG_FILE} and {WEIGHTS_FILES[0]}.",
        )
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))["model_cfg"]
        parts = (config["vision_cfg"], config["text_cfg"])
        complete = "embed_dim" in config and all(isinstance(part, dict) for part in parts)
    except FileNotFoundError:
        raise AppError(
            f"The folder {folder} has no {CONFIG_FILE}, so it is not an OpenCLIP model.",
            "Choose a folder that was saved by OpenCLIP.",
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        complete = False
    if not complete:
        raise AppError(
            f"{folder / CONFIG_FILE} does not describe an OpenCLIP model.",
            "Download or copy the folder again.",
        )
    if weights_file(folder) is None:
        raise AppError(
            f"The folder {folder} has no weights: none of {', '.join(WEIGHTS_FILES)} is there.",
            "Put the weights file next to the configuration.",
        )
    _check_packages(folder.name, config)


def _check_packages(name: str, config: Mapping[str, Any]) -> None:
    text = config["text_cfg"]
    if text.get("hf_model_name"):
        raise AppError(
            f"The model {name} needs a text model of transformers, which is not used here.",
            f"Choose {RECOMMENDED_FOR_OTHERS.spec}, which understands many languages.",
        )
