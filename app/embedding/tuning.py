"""What suits a model on this computer: the precision and the number of threads, by measurement.

Like the encoder, this module imports torch.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from app.embedding.checkpoint import open_clip
from app.embedding.encoder import DTYPES, MOST_THREADS, Encoder
from app.embedding.int8 import in_int8
from app.embedding.measurements import TAKEN, UNTRIED, Measurement, recall, remember
from app.embedding.trial import MIN_COSINE, is_faithful
from app.errors import AppError, first_line

log = logging.getLogger(__name__)

WORTHWHILE_SHARE = 0.1
"""A lower precision is taken only where it saves this share of the time: a closer race would be
decided by chance, differently each time."""
WORTHWHILE_SECONDS = 0.0005
"""And, on a CPU, only where it saves this much a picture: below that, decoding sets the pace."""
WORTHWHILE_TEXT_SECONDS = 0.003
"""The same for the two texts of a search: nobody notices less."""
THREADS_SHARE = 0.05
"""Fewer threads are taken where they cost no more than this share of the time."""

FAR_SLOWER = 1.5

_PROBE_SECONDS = 0.2  # one pass in fp32 on a CPU; a ViT-B/32 is then measured within 3 s
_SPEED_SECONDS = 1.0
_BATCH = 32
_PROBE_TEXTS = ("a photo of a dog", "two red cups on a wooden table")
_KINDS = ("a red", "two small", "an old", "my sister's", "photo of a", "the wooden", "no", "my")
_THINGS = ("dog", "house by the sea", "bicycle", "birthday cake", "map", "tree", "ship", "invoice")
_TEXTS = tuple(f"{kind} {thing}" for kind in _KINDS for thing in _THINGS)
"""What texts in int8 are judged by: unlike made-up pictures, these are what people ask for."""

_Clock = Callable[[], float]


def pictures_per_second(encoder: Encoder) -> float:
    """How fast the model is on its own, with as many pictures at a time as a session takes."""
    encoder = encoder.without_trial()
    pictures = probe_pictures(encoder.pixels.size, _BATCH)
    one = _seconds(lambda: encoder.encode_images(pictures[:1]), time.perf_counter)
    pictures = pictures[: max(1, int(_SPEED_SECONDS / one))]
    encoder.encode_images(pictures)  # the first pass sets things up
    done, start = 0, time.perf_counter()
    while (seconds := time.perf_counter() - start) < _SPEED_SECONDS:
        encoder.encode_images(pictures)
        done += len(pictures)
    return done / seconds


def tuned(encoder: Encoder, precision: str, *, busy: bool) -> Encoder:
    """The encoder, or a copy of it, as it is quickest here; measured once, and then remembered.

    Where int8 is quicker still, the encoder tries it on the first pictures, see
    :mod:`app.embedding.trial`.

    Args:
        precision: ``auto``, or the one that it shall have.
        busy: something else keeps the processors busy, so that what is measured holds for now only.

    Raises:
        AppError, RuntimeError, MemoryError: the model does not run on its device.
    """
    key = _key(encoder, precision)
    known = recall(key)
    tower: nn.Module | None = None
    if known:
        tower = in_int8(encoder.image_tower) if known.int8 else None  # from weights in fp32
        texts = in_int8(encoder.text_tower) if known.texts_in_int8 else None
        encoder.set_precision(known.precision)
        if texts is not None:
            encoder = encoder.with_text_tower(texts)
        encoder.threads = known.threads
    else:
        if precision == "auto":
            encoder, tower = quickest_faithful(encoder)
        else:
            encoder.set_precision(precision)
        encoder.encode_images(probe_pictures(encoder.pixels.size, 1))
        encoder.threads = quickest_threads(encoder)
        int8 = UNTRIED if tower else ""
        texts_too = precision == "auto" and encoder.texts_in_int8
        known = Measurement(encoder.precision, encoder.threads, int8, texts_too)
        if not busy:
            remember(key, known)
    if tower is None or busy:
        return encoder
    if known.int8 == TAKEN:
        return encoder.with_image_tower(tower)
    encoder.try_out(
        tower, lambda faithful: remember(key, replace(known, int8=TAKEN if faithful else ""))
    )
    return encoder


def _key(encoder: Encoder, precision: str) -> str:
    """All that the outcome of measuring depends on."""
    capability = torch.backends.cpu.get_cpu_capability()
    parts = (encoder.digest, encoder.device_label, precision, processor_name(), capability)
    return " | ".join((*parts, str(MOST_THREADS), torch.__version__, version("afterimage")))


def processor_name() -> str:
    """What the processor calls itself."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def quickest_faithful(encoder: Encoder) -> tuple[Encoder, nn.Module | None]:
    """The encoder, or a copy in a lower precision, for texts at least, that is quicker and as good.

    Returns:
        it, and an image tower in int8 where that is quicker still and as good on a few pictures.
    """
    if encoder.torch_device.type != "cpu":
        return _compare(encoder, 32, time.perf_counter)
    # On one thread and by its own time the outcome does not depend on what else is running.
    before, encoder.threads = encoder.threads, 1
    chosen, tower = _compare(encoder, 8, time.thread_time)
    chosen = _with_quicker_texts(chosen, encoder)
    encoder.threads = chosen.threads = before
    return chosen, tower


def quickest_threads(encoder: Encoder) -> int:
    """With how many threads the model is quickest on the CPU: all, half of them, and so on.

    One for each core is too many where a container has fewer, or where a small model's threads
    spend their time waiting for each other.
    """
    if encoder.torch_device.type != "cpu":
        return encoder.threads
    twin = copy.copy(encoder)
    twin.threads = MOST_THREADS
    pictures = _bearable(twin, _BATCH, time.perf_counter)
    seconds: dict[int, float] = {}
    while twin.threads:
        needed = _seconds(lambda: twin.encode_images(pictures), time.perf_counter)
        seconds[twin.threads] = needed
        if needed > FAR_SLOWER * min(seconds.values()):
            break  # with fewer still it would be slower still, and a large model takes long
        twin.threads //= 2
    log.debug("seconds for %d pictures by threads: %s", len(pictures), seconds)
    enough = min(seconds.values()) * (1 + THREADS_SHARE)
    return min(threads for threads, needed in seconds.items() if needed <= enough)


def _compare(encoder: Encoder, most: int, clock: _Clock) -> tuple[Encoder, nn.Module | None]:
    """Try each precision on up to ``most`` pictures, fewer where that would take long."""
    on_cpu = encoder.torch_device.type == "cpu"
    if on_cpu:
        pictures = _bearable(encoder, most, clock)
    else:
        pictures = probe_pictures(encoder.pixels.size, most)
    expected, best_seconds = _measure(encoder, pictures, clock)
    best, int8 = encoder, None
    for precision in ("bf16", "fp16", "int8") if on_cpu else ("bf16", "fp16"):
        if on_cpu and is_emulated(precision, clock):
            continue
        try:
            twin = encoder.in_precision(precision)
            embeddings, seconds = _measure(twin, pictures, clock)
        except (AppError, RuntimeError, MemoryError) as error:
            log.info(
                "%s cannot be used on %s: %s", precision, encoder.device_label, first_line(error)
            )
            continue
        cosine = float((embeddings * expected).sum(axis=1).min())
        saved = 1000 * (best_seconds - seconds)
        log.debug("%s saves %.1f ms a picture, cosine %.4f", precision, saved, cosine)
        least = WORTHWHILE_SECONDS if on_cpu else 0.0
        if _is_worthwhile(best_seconds, seconds, least) and cosine >= MIN_COSINE:
            if precision == "int8":
                int8 = twin.image_tower
            else:
                best, best_seconds = twin, seconds
    return best, int8


def _with_quicker_texts(encoder: Encoder, exact: Encoder) -> Encoder:
    """The encoder, or a copy with its text tower in int8 where that is quicker and as good.

    A text has few tokens, so it takes as long as it takes to read the weights.

    Args:
        exact: the same model in fp32.
    """
    tower, clock = exact.text_tower, time.thread_time
    if not isinstance(tower, open_clip.transformer.Transformer) or is_emulated("int8", clock):
        return encoder
    try:
        twin = encoder.with_text_tower(in_int8(tower))
        before, after = (_seconds_for_texts(one, clock) for one in (encoder, twin))
        log.debug("int8 instead of %s: %.4f, %.4f s a search", encoder.precision, after, before)
        if not _is_worthwhile(before, after, WORTHWHILE_TEXT_SECONDS):
            return encoder
        faithful = is_faithful(exact.encode_texts(_TEXTS), twin.encode_texts(_TEXTS))
    except (AppError, RuntimeError, MemoryError) as error:
        log.info("texts cannot be embedded in int8: %s", first_line(error))
        return encoder
    return twin if faithful else encoder


def _seconds_for_texts(encoder: Encoder, clock: _Clock) -> float:
    return _seconds(lambda: encoder.encode_texts(_PROBE_TEXTS), clock)


def _is_worthwhile(before: float, after: float, least: float) -> bool:
    return before - after >= max(least, WORTHWHILE_SHARE * before)


def _bearable(encoder: Encoder, most: int, clock: _Clock) -> NDArray[np.uint8]:
    """Up to ``most`` probe pictures, at least two: as many as one pass is to take time for."""
    pictures = probe_pictures(encoder.pixels.size, most)
    one = _seconds(lambda: encoder.encode_images(pictures[:1]), clock)
    return pictures[: max(2, int(_PROBE_SECONDS / one))]


def _measure(
    encoder: Encoder, pictures: NDArray[np.uint8], clock: _Clock
) -> tuple[NDArray[np.float32], float]:
    """Embeddings of the probe, pictures and texts, and the best time for a picture in seconds."""
    embeddings = [encoder.encode_images(pictures), encoder.encode_texts(_PROBE_TEXTS)]
    seconds = _seconds(lambda: encoder.encode_images(pictures), clock)
    return np.concatenate(embeddings), seconds / len(pictures)


def _seconds(action: Callable[[], object], clock: _Clock) -> float:
    """The shortest of three passes, or of fewer where they take long."""
    passes: list[float] = []
    while len(passes) < 3 and sum(passes) < _PROBE_SECONDS:
        start = clock()
        action()
        passes.append(clock() - start)
    return min(passes)


def probe_pictures(size: int, count: int) -> NDArray[np.uint8]:
    """Coloured squares, always the same; shape (count, size, size, 3)."""
    colours = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    cells = np.arange(size) * 8 // size
    return colours[:, cells][:, :, cells]


def is_emulated(precision: str, clock: _Clock = time.thread_time) -> bool:
    """Whether the CPU computes in this precision only by a detour, up to a hundred times slower."""

    def seconds(precision: str) -> float:
        int8 = precision == "int8"
        dtype, multiply = (torch.int8, torch._int_mm) if int8 else (DTYPES[precision], torch.mm)
        rows, columns = torch.ones(64, 512, dtype=dtype), torch.ones(512, 512, dtype=dtype)
        return _seconds(lambda: multiply(rows, columns), clock)

    return seconds(precision) > 4 * seconds("fp32")
