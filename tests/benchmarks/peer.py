"""Beside rclip, the quickest other program of this kind: the same weights, files and processors."""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from importlib.resources import files
from pathlib import Path

from photographs import photographs, small_photographs
from random_model import ARCHITECTURE, random_model
from surroundings import CACHE, drawn_pictures, empty_data_folder

from app.config import get_settings
from app.embedding.measurements import FILE_NAME

ROUNDS = 3
PYTHONS = ("python3.13", "python3.12")
"""What rclip 4 runs on; the first that is there."""
MODEL_FOLDER = "ViT-B-32-256-datacomp_s34b_b86k"
"""Where rclip looks for the model that it downloads; here it finds one with random weights."""
LEGAL_FILES = ("LICENSE", "OPENAI-CLIP-MIT.txt", "README.md", "THIRD_PARTY_NOTICES.md")
"""Without these it would ask the network for them."""
FIRST = 100
MEASURED = 240
"""Pictures that our program has seen before, so that it knows what is quickest here."""


class PeerMissingError(Exception):
    """Says why rclip cannot be installed here."""


def ahead_of_peer() -> dict[str, float]:
    """How many times as quick as rclip the program is, from a start from nothing to its end.

    Each indexes a folder with a command of its own: it starts, imports its libraries, loads the
    model, and stores the vectors; rclip answers one query at the end, as it cannot do without. The
    two take turns, and of each ratio the median counts.

    Raises:
        PeerMissingError: rclip cannot be installed, or its model not be made.
    """
    folders = {"small": small_photographs(), "large": photographs()}
    with empty_data_folder() as place:
        folders["first_100"] = _some(folders["large"], place / "first")
        peer = _Peer(place / "peer")
        ours = _Ours(place / "ours")
        rounds = [
            {name: peer.seconds(folder) / ours.seconds(folder) for name, folder in folders.items()}
            for _ in range(ROUNDS)
        ]
    return {name: statistics.median(one[name] for one in rounds) for name in folders}


def _some(source: Path, target: Path) -> Path:
    target.mkdir()
    for file in sorted(source.iterdir())[:FIRST]:
        shutil.copyfile(file, target / file.name)
    return target


class _Ours:
    """The command ``index``, on a computer where this model ran before."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._measurements: Path | None = None
        self.seconds(drawn_pictures(MEASURED))  # measures, and tries int8
        self._measurements = (place / FILE_NAME).rename(place.with_name(FILE_NAME))

    def seconds(self, folder: Path) -> float:
        """To index a folder into an empty data folder."""
        shutil.rmtree(self._place, ignore_errors=True)
        self._place.mkdir(mode=0o700)
        if self._measurements is not None:
            shutil.copy(self._measurements, self._place / FILE_NAME)
        command = [sys.executable, "-m", "app", "index", str(folder), "--model"]
        variables = {"AFTERIMAGE_DATA_DIR": str(self._place)}
        return _run([*command, str(random_model())], get_settings().data_dir, variables)


class _Peer:
    """rclip, the newest there is, in an environment of its own, with a model of its own."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._program = _installed()
        exported = CACHE / f"{ARCHITECTURE}-onnx"
        if not exported.is_dir():
            _export(exported)
        shutil.copytree(exported, place / MODEL_FOLDER)
        vocabulary = files("open_clip") / "bpe_simple_vocab_16e6.txt.gz"
        (place / "tokenizer").mkdir()
        (place / "tokenizer" / vocabulary.name).write_bytes(vocabulary.read_bytes())
        for name in LEGAL_FILES:
            (place / name).write_text("Random weights.", encoding="utf-8")

    def seconds(self, folder: Path) -> float:
        """To index a folder into an empty database."""
        for old in self._place.glob("*.sqlite3*"):
            old.unlink()
        command = [str(self._program), "--filepath-only", "--top", "1", "a red circle"]
        taken = _run(command, folder, {"RCLIP_DATADIR": str(self._place)})
        (database,) = self._place.glob("*.sqlite3")
        with closing(sqlite3.connect(database)) as conn:
            (number,) = conn.execute("SELECT count(*) FROM images WHERE deleted IS NULL").fetchone()
        if number != sum(1 for file in folder.rglob("*.jpg")):
            raise RuntimeError(f"rclip indexed {number} pictures of {folder}")
        return taken


def _run(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **variables},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def _installed() -> Path:
    """Its command, in an environment that is kept for the next time."""
    environment = CACHE / "rclip"
    program = environment / "bin" / "rclip"
    if not program.exists():
        shutil.rmtree(environment, ignore_errors=True)
        _attempt([_python(), "-m", "venv", str(environment)])
    install = [str(environment / "bin" / "pip"), "install", "--quiet", "--upgrade", "rclip"]
    _attempt(install)
    return program


def _python() -> str:
    for name in PYTHONS:  # a shim may be there without what it stands for
        found = shutil.which(name)
        if found and not subprocess.run([found, "-c", ""], capture_output=True).returncode:
            return found
    raise PeerMissingError(f"it needs {' or '.join(PYTHONS)}, and neither is there")


def _attempt(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise PeerMissingError((done.stderr.strip().splitlines() or ["it failed"])[-1])


def _export(folder: Path) -> None:
    """The two towers as rclip wants them, by a process that has what PyTorch needs for it."""
    libraries = CACHE / "onnx"
    if not libraries.is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        _attempt([*pip, str(libraries), "onnx", "protobuf", "ml_dtypes"])
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    script = Path(__file__).with_name("onnx_export.py")
    path = os.pathsep.join([str(libraries), *sys.path])
    subprocess.run(
        [sys.executable, str(script), str(random_model()), str(partial)],
        env={**os.environ, "PYTHONPATH": path},
        check=True,
    )
    partial.rename(folder)
