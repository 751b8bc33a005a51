"""Pictures and texts to embeddings, by an OpenCLIP model on whatever device there is.

This module and :mod:`app.embedding.checkpoint` import torch and open_clip, which takes seconds:
import them where a model is needed, never at the top of a module that a window reaches.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from app.embedding.checkpoint import Checkpoint, open_clip
from app.embedding.int8 import Int8Tower, in_int8
from app.embedding.memory import is_out_of_memory
from app.embedding.trial import Trial
from app.errors import AppError
from app.pictures.pixels import PixelSpec

log = logging.getLogger(__name__)

MOST_THREADS = torch.get_num_threads()
"""What torch takes for the number of this machine's cores."""
CONVOLUTIONAL_ROWS = 4
"""Pictures that a model of many convolutions takes at a time on a CPU. Its intermediate results are
large: those of more pictures do not fit into the caches, and need newly mapped memory each time."""
INT8_ROWS = 8
"""The same in int8: the integers and floats on the way are to stay in the caches, too."""
CARD_ROWS = 256
"""An H100 embeds 2,300 pictures a second of 32 at a time, and 18,000 of 256."""
DTYPES = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "int8": torch.float32,  # between the linear layers
}

_Encode = Callable[[torch.Tensor], torch.Tensor]


class Encoder:
    """A model on a device, see :mod:`app.embedding.loading`. Several threads may use it at once.

    Attributes:
        name, version: which model it is; what OpenCLIP calls architecture and tag, if it has them.
        digest: SHA-256 of the file of weights, in hexadecimal.
        dimension: components of an embedding.
        pixels: how it wants to see pictures.
        precision: ``fp32``, ``bf16``, ``fp16`` or ``int8``.
        device_label: ``cpu``, ``mps``, or ``cuda:0`` and the name of the card.
        torch_device: the same for torch.
        threads: that it computes with on a CPU.
        notice: what a person should know about how it runs, in one sentence; mostly empty.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.name = checkpoint.name
        self.version = checkpoint.version
        self.digest = checkpoint.digest
        self.precision = "fp32"
        self.device_label = "cpu"
        self.torch_device = torch.device("cpu")
        self.threads = MOST_THREADS
        self.notice = ""
        self._model: Any = checkpoint.model.eval()
        convolutions = sum(isinstance(part, nn.Conv2d) for part in self._model.modules())
        self._convolutional = convolutions > 1  # one cuts a picture into a transformer's patches
        if self._convolutional:
            self._model.visual.to(memory_format=torch.channels_last)
        # a transformer, mostly; text models of other libraries have other parts of that name
        self._text_tower = "text.transformer" if hasattr(self._model, "text") else "transformer"
        self._tokenizer = checkpoint.tokenizer
        self._lock = threading.Lock()
        self._trial: Trial | None = None
        self.pixels, self._mean, self._std = _preprocessing(self._model.visual.preprocess_cfg)
        self.dimension: int = self.encode_texts([""]).shape[1]

    @property
    def together(self) -> int:
        """Pictures that it best takes at once, where there are so many; 0 where that is no matter.

        Python's part in a batch is the same for few and for many, and a card waits for it.
        """
        return CARD_ROWS if self.torch_device.type == "cuda" else 0

    @property
    def collection(self) -> str:
        """The name that this model's vectors are kept under; no other weights have the same."""
        return f"{_slug(self.name)}-{_slug(self.version)}-{self.digest[:12]}"

    def encode_images(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed pictures.

        Args:
            batch: shape (n, size, size, 3), RGB, prepared as :attr:`pixels` says.

        Returns:
            shape (n, dimension), rows of unit length.

        Raises:
            AppError: memory does not suffice for a single picture, on the CPU either.
        """
        trial = self._trial
        if trial is not None and trial.faithful is not None:
            # Only now, so that the precision was true for what was returned before.
            if trial.faithful:
                self._model, self.precision = trial.successor._model, trial.successor.precision
            self._trial = trial = None
        most = len(batch)
        if self._convolutional and self.torch_device.type == "cpu":
            most = CONVOLUTIONAL_ROWS
        elif self.precision == "int8":
            most = INT8_ROWS
        embeddings = self._embed(self._image_features, torch.tensor(batch), most)
        if trial is not None:
            trial.observe(batch, embeddings)
        return embeddings

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts; what exceeds the model's context length is cut off.

        Returns:
            shape (n, dimension), rows of unit length.

        Raises:
            AppError: memory does not suffice for a single text, on the CPU either.
        """
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        return self._embed(self._text_features, self._tokenizer(list(texts)), len(texts))

    def how(self) -> str:
        """On what it runs, for the log: ``on cpu in bf16 with 8 threads``."""
        threads = f" with {self.threads} threads" if self.torch_device.type == "cpu" else ""
        texts = ", texts in int8" if self.texts_in_int8 else ""
        return f"on {self.device_label} in {self.precision}{threads}{texts}"

    def move(self, torch_device: torch.device) -> None:
        """Take the model to another device."""
        self._model.to(torch_device)
        self.torch_device = torch_device
        card = f" {torch.cuda.get_device_name(torch_device)}" if torch_device.type == "cuda" else ""
        self.device_label = f"{torch_device}{card}"

    def free_memory(self) -> int:
        """Bytes that are free on an NVIDIA card; 0 where it runs on none."""
        if self.torch_device.type != "cuda":
            return 0
        return torch.cuda.mem_get_info(self.torch_device)[0]

    def fall_back(self, cause: str) -> None:
        """Go on with the CPU, loudly; ``cause`` is a sentence without its full stop."""
        self.notice = f"{cause}, so the model runs on the CPU, which is slower."
        log.warning("%s", self.notice)
        # Moved before it is cast, as fp32 needs twice the memory that was too little already.
        self._model.to("cpu").to(torch.float32)
        self.precision = "fp32"
        self.move(torch.device("cpu"))

    def set_precision(self, precision: str) -> None:
        """Compute in another precision from now on."""
        if precision != self.precision:
            self._model.to(DTYPES[precision])
            self.precision = precision

    def in_precision(self, precision: str) -> Encoder:
        """A copy that computes in another precision.

        Raises:
            RuntimeError: it is ``int8``, and the image tower is not made for it.
        """
        if precision == "int8":
            return self.with_image_tower(in_int8(self.image_tower))
        twin = copy.copy(self)
        twin._model = copy.deepcopy(self._model)
        twin.set_precision(precision)
        return twin

    @property
    def image_tower(self) -> nn.Module:
        """The part of the model that sees pictures."""
        tower: nn.Module = self._model.visual
        return tower

    @property
    def text_tower(self) -> nn.Module:
        """The part of the model that texts spend their time in."""
        tower: nn.Module = self._model.get_submodule(self._text_tower)
        return tower

    @property
    def texts_in_int8(self) -> bool:
        """Whether texts are embedded in int8, in whatever precision pictures are."""
        return isinstance(self.text_tower, Int8Tower)

    def with_image_tower(self, tower: nn.Module) -> Encoder:
        """A copy with an image tower in int8; everything else is shared."""
        twin = self.without_trial()
        twin._model = _with_part(self._model, ["visual"], tower)
        twin.precision = "int8"
        return twin

    def with_text_tower(self, tower: Int8Tower) -> Encoder:
        """A copy with a text tower in int8; everything else is shared."""
        tower.around = DTYPES[self.precision]
        twin = copy.copy(self)
        twin._model = _with_part(self._model, self._text_tower.split("."), tower)
        return twin

    def without_trial(self) -> Encoder:
        """A copy that tries nothing out; everything is shared."""
        twin = copy.copy(self)
        twin._trial = None
        return twin

    def try_out(self, tower: nn.Module, settled: Callable[[bool], object]) -> None:
        """Try an image tower in int8 on the next pictures; take it from then on if it is faithful.

        Args:
            settled: is told whether it is.
        """
        self._trial = Trial(self.with_image_tower(tower), settled)

    def _image_features(self, pixels: torch.Tensor) -> torch.Tensor:
        if self.torch_device.type == "cuda":  # fetches from pinned memory while Python goes on
            pixels = pixels.pin_memory()
        # Permuted, not copied: channels stay last in memory, as convolutions like them best.
        values = pixels.to(self.torch_device, non_blocking=True).permute(0, 3, 1, 2).float() / 255
        dtype = DTYPES[self.precision]  # read before the model, which may change just now
        # Normalised before the cast: bf16 has only 8 bits for the mean.
        values = (values - self._mean.to(self.torch_device)) / self._std.to(self.torch_device)
        features: torch.Tensor = self._model.encode_image(values.to(dtype))
        return features

    def _text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        model = self._model
        if _is_causal(model):
            longest = int(tokens.argmax(dim=-1).max()) + 1  # texts end with the largest number
            model, tokens = _for_texts_of(model, longest), tokens[:, :longest]
        features: torch.Tensor = model.encode_text(tokens.to(self.torch_device))
        return features

    def _embed(self, encode: _Encode, rows: torch.Tensor, most: int) -> NDArray[np.float32]:
        """Embed all rows, up to ``most`` at a time.

        On a CPU the parts share the threads, so that not all wait where one has lost its core.
        """
        parts = torch.split(rows, most)
        at_once = min(self.threads, len(parts))
        if at_once == 1 or self.torch_device.type != "cpu":
            return self._embed_in_turn(encode, rows, most, self.threads)
        threads = self.threads // at_once
        with ThreadPoolExecutor(at_once, "model") as pool:
            embed = partial(self._embed_in_turn, encode, most=most, threads=threads)
            return np.concatenate(list(pool.map(embed, parts)))

    def _embed_in_turn(
        self, encode: _Encode, rows: torch.Tensor, most: int, threads: int
    ) -> NDArray[np.float32]:
        """Embed all rows one part after the other, each as large as memory allows.

        Args:
            threads: of a CPU, to compute with.
        """
        parts: list[NDArray[np.float32]] = []
        start, size = 0, most
        while start < len(rows):
            with self._exclusive():
                part = self._attempt(encode, rows[start : start + size], threads)
                if part is not None:
                    parts.append(part)
                    start += size
                elif size > 1:
                    size //= 2
                    log.warning(
                        "out of memory on %s: going on with %d at once", self.device_label, size
                    )
                elif self.torch_device.type != "cpu":
                    self.fall_back(f"There is not enough memory on {self.device_label}")
                    size = len(rows)
                else:
                    raise AppError(
                        f"There is not enough memory to run the model {self.name}.",
                        "Close other programs or choose a smaller model.",
                    )
        return np.concatenate(parts) if parts else np.empty((0, self.dimension), np.float32)

    def _attempt(
        self, encode: _Encode, rows: torch.Tensor, threads: int
    ) -> NDArray[np.float32] | None:
        """Unit vectors; None where memory did not suffice."""
        if self.torch_device.type == "cpu":
            torch.set_num_threads(threads)  # for this thread and for this model
        try:
            with torch.inference_mode():
                unit: NDArray[np.float32] = (
                    functional.normalize(encode(rows).float(), dim=-1).cpu().numpy()
                )
                return unit
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Outside of the except block, as the error holds on to the tensors of the failed attempt.
        if torch.accelerator.is_available():
            torch.accelerator.empty_cache()
        return None

    def _exclusive(self) -> contextlib.AbstractContextManager[Any]:
        """One thread at a time on an accelerator, which the model may leave; it stays on a CPU."""
        return contextlib.nullcontext() if self.torch_device.type == "cpu" else self._lock


def _with_part(model: nn.Module, place: Sequence[str], part: nn.Module) -> nn.Module:
    """A copy with another part at a place; everything else is shared."""
    name, *inside = place
    if inside:
        part = _with_part(model.get_submodule(name), inside, part)
    twin = copy.copy(model)
    twin._modules = {**model._modules, name: part}
    return twin


def _is_causal(model: Any) -> bool:
    """Whether what stands behind a text's end is never looked at (Radford et al. 2021, 2.4)."""
    of_clip = isinstance(model, open_clip.CLIP) and model.text_pool_type == "argmax"
    return of_clip and model.attn_mask is not None


def _for_texts_of(model: Any, tokens: int) -> Any:
    """The same model for texts of so many tokens: a text is padded to many times its length."""
    short = copy.copy(model)
    position = nn.Parameter(model.positional_embedding[:tokens], requires_grad=False)
    short._parameters = {**model._parameters, "positional_embedding": position}
    short._buffers = {**model._buffers, "attn_mask": model.attn_mask[:tokens, :tokens]}
    return short


def _preprocessing(config: Mapping[str, Any]) -> tuple[PixelSpec, torch.Tensor, torch.Tensor]:
    """How the model was trained to see: the square, and mean and deviation, shape (3, 1, 1)."""
    size = config["size"]
    high, wide = (size, size) if isinstance(size, int) else size
    if high != wide:
        raise AppError(
            f"The model takes pictures of {wide} × {high} pixels; only square ones are supported.",
            "Choose another model.",
        )
    pixels = PixelSpec(
        size=high,
        resize_mode=config["resize_mode"],
        # OpenCLIP, too, takes anything else for bicubic
        interpolation="bilinear" if config["interpolation"] == "bilinear" else "bicubic",
        fill=config["fill_color"],
    )
    mean, std = (torch.tensor(config[key]).reshape(-1, 1, 1) for key in ("mean", "std"))
    return pixels, mean, std


def _slug(text: str) -> str:
    """Letters a to z, digits and hyphens only, and not too many."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-") or "model"
