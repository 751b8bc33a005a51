"""A model by its name, on the device and in the precision that suit it here.

Like the encoder, this module imports torch.
"""

from __future__ import annotations

import warnings

import torch

from app.embedding import tuning
from app.embedding.catalogue import ModelError
from app.embedding.checkpoint import Checkpoint, load_checkpoint
from app.embedding.encoder import Encoder
from app.errors import AppError, first_line


def load_encoder(
    spec: str, device: str = "auto", precision: str = "auto", *, busy: bool = False
) -> Encoder:
    """Load a model and make it ready; its weights are downloaded if need be.

    Args:
        spec: see :mod:`app.embedding.catalogue`.
        device: ``auto``, ``cpu``, ``mps``, ``cuda`` or, for another than the first, ``cuda:1``.
        precision: ``fp32``, ``bf16``, ``fp16``, or ``auto`` for what is measured to be best here.
        busy: something else keeps the processors busy meanwhile.

    Raises:
        ModelError: there is no such model, its files are missing or damaged, it cannot be
            downloaded, or memory does not suffice.
        AppError: the device is not there, or the model cannot run on it.
    """
    torch_device = _find_device(device)
    try:
        encoder = _first_use(load_checkpoint(spec))
    except AppError as error:
        raise ModelError(error.message, error.hint, transient=error.transient) from error
    try:
        encoder.move(torch_device)
        return tuning.tuned(encoder, precision, busy=busy)
    except (RuntimeError, MemoryError) as error:
        if device != "auto" or torch_device.type == "cpu":
            raise AppError(
                f"The model {encoder.name} cannot run on {torch_device} with precision "
                f"{precision}: {first_line(error)}.",
                "Set AFTERIMAGE_DEVICE to cpu and AFTERIMAGE_PRECISION to auto.",
            ) from error
        failure = first_line(error)
    encoder.fall_back(f"The model cannot run on {torch_device} ({failure})")
    return encoder


def _first_use(checkpoint: Checkpoint) -> Encoder:
    try:
        return Encoder(checkpoint)
    except (RuntimeError, IndexError) as error:  # IndexError: a word beyond the vocabulary
        raise AppError(
            f"The model {checkpoint.name} does not work: {first_line(error)}.",
            "Its configuration does not match its tokenizer; choose another model.",
        ) from error


def _find_device(wanted: str) -> torch.device:
    """The device of that name; for ``auto`` the first of CUDA, MPS and CPU that is there."""
    with warnings.catch_warnings():
        # With a driver that is too old, torch warns and then says that there is no device.
        warnings.filterwarnings("ignore", "CUDA initialization", UserWarning)
        cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    apple = torch.backends.mps.is_available()
    if wanted == "auto":
        wanted = "cuda" if cards else "mps" if apple else "cpu"
    kind, _, index = wanted.partition(":")
    if (kind == "cuda" and int(index or 0) >= cards) or (kind == "mps" and not apple):
        there = [f"cuda:{card}" for card in range(cards)] + ["mps"] * apple + ["cpu"]
        raise AppError(
            f"AFTERIMAGE_DEVICE is set to {wanted}, but PyTorch can use only {', '.join(there)} "
            "here.",
            "Set AFTERIMAGE_DEVICE to auto, or check the driver of the graphics card.",
        )
    return torch.device("cuda", int(index or 0)) if kind == "cuda" else torch.device(kind)
