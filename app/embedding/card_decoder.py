"""A process that has an NVIDIA card decode JPEG files, forked by ``python -m app card-decoder``.

A card's engines for JPEG stand still while processors decode. Most of the work that is left for the
processor is reading and checking, so there are some threads, each with a batch of its own. What a
card cannot read, or would read wrongly, is left to the processors, see
:mod:`app.pictures.plain_jpeg`. Like the encoder, this module imports torch.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import socket
import threading
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

import torch
from PIL import Image
from torch.nn import functional

from app.embedding.memory import is_out_of_memory
from app.pictures.decode import DecodedPicture, PictureError, quietly
from app.pictures.decoder_process import fork_for_worker, receive, send
from app.pictures.files import FileContent, read_file
from app.pictures.pixels import REDUCING_GAP, PixelSpec, fit, resized_to
from app.pictures.plain_jpeg import PlainJpeg, plain_jpeg

SHARE_OF_MEMORY = 0.1
"""For one batch, of the memory that is free when decoding begins."""
MOST_MEMORY = 2 * 1024**3
"""Bytes for the pictures of one batch, decoded; more is of no use."""
_NEARLY_WHITE = 250
_EXIF = b"Exif\x00\x00"
_EXIF_START = len(_EXIF) + 8  # with the head of the TIFF data behind it
_HEADER = 64 * 1024  # bytes; where cameras put their EXIF data


@dataclass(frozen=True, slots=True)
class CardPicture:
    """What a card has decoded."""

    content: FileContent
    """The file, without its data."""
    decoded: DecodedPicture


class CardDecoder:
    """Decodes on one device.

    Args:
        device: a CUDA device; on the CPU the same is computed, more slowly.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._budget = MOST_MEMORY
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            self._budget = min(MOST_MEMORY, int(free * SHARE_OF_MEMORY))

    def check(self) -> None:
        """Decode a picture of our own: the library may not fit this PyTorch or this driver.

        Raises:
            RuntimeError, ImportError, OSError: it does not work.
        """
        spec, file = PixelSpec(64), BytesIO()
        Image.new("RGB", (2 * spec.size, 2 * spec.size), "white").save(file, "JPEG")
        jpeg = plain_jpeg(file.getvalue(), "white.jpg", spec, max_megapixels=1)
        assert jpeg is not None
        with torch.inference_mode():
            (pixels,) = self._attempt([jpeg], spec)
        if pixels.min() < _NEARLY_WHITE:
            raise RuntimeError(f"white is decoded to {pixels.min()}")

    def decode(
        self, paths: Sequence[str], spec: PixelSpec, max_megapixels: int
    ) -> list[CardPicture | None]:
        """Read and decode files, each as :func:`app.pictures.decode.decode` does.

        Returns:
            None for each file that is left to the processors.
        """
        found: list[CardPicture | None] = [None] * len(paths)
        waiting: list[tuple[int, FileContent, PlainJpeg]] = []
        for index, path in enumerate(paths):
            try:
                content = read_file(path)
            except PictureError:
                continue
            jpeg = plain_jpeg(content.data, os.path.basename(path), spec, max_megapixels)
            if jpeg is not None and jpeg.decoded_bytes <= self._budget:
                waiting.append((index, replace(content, data=b""), jpeg))
        for part in self._parts(waiting):
            small = self._shrunk([jpeg for _, _, jpeg in part], spec)
            for (index, content, jpeg), pixels in zip(part, small, strict=True):
                if pixels is not None:
                    found[index] = _finished(content, jpeg, pixels, spec)
        return found

    def _parts(
        self, waiting: Sequence[tuple[int, FileContent, PlainJpeg]]
    ) -> Iterator[list[tuple[int, FileContent, PlainJpeg]]]:
        """As many at a time as there is memory for."""
        part: list[tuple[int, FileContent, PlainJpeg]] = []
        size = 0
        for each in waiting:
            if size + each[2].decoded_bytes > self._budget:
                yield part
                part, size = [], 0
            part.append(each)
            size += each[2].decoded_bytes
        if part:
            yield part

    def _shrunk(self, files: Sequence[PlainJpeg], spec: PixelSpec) -> list[torch.Tensor | None]:
        """As stored and whole, each of shape (height, width, 3), in this computer's memory.

        Where that fails, two halves are tried, so that nothing but the cause is left out.
        """
        try:
            with torch.inference_mode():
                return list(self._attempt(files, spec))
        except (RuntimeError, ValueError, MemoryError) as error:
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)  # a card that is lost ends this process
            if is_out_of_memory(error):
                torch.accelerator.empty_cache()
                self._budget //= 2
            if len(files) == 1:
                return [None]
        half = len(files) // 2
        return [*self._shrunk(files[:half], spec), *self._shrunk(files[half:], spec)]

    def _attempt(self, files: Sequence[PlainJpeg], spec: PixelSpec) -> list[torch.Tensor]:
        from torchcodec.decoders import decode_jpeg  # type: ignore[attr-defined]

        sources = [torch.frombuffer(_without_exif(file.data), dtype=torch.uint8) for file in files]
        decoded = list(decode_jpeg(sources, mode="RGB", device=self.device))
        small = []
        for index, file in enumerate(files):
            whole, decoded[index] = decoded[index], torch.empty(0)  # its memory is used again
            if whole.shape != (3, file.height, file.width):
                raise ValueError(f"decoded to {tuple(whole.shape)}, not as its header says")
            size = resized_to(file.width, file.height, spec)
            small.append(shrunk(whole, size, spec).permute(1, 2, 0).contiguous())
        return [picture.cpu() for picture in small]


def _finished(
    content: FileContent, jpeg: PlainJpeg, pixels: torch.Tensor, spec: PixelSpec
) -> CardPicture | None:
    """Cropped, upright and in sRGB."""
    picture = Image.fromarray(pixels.numpy())
    try:
        with quietly():
            square = fit(picture, picture.size, jpeg.orientation, spec, jpeg.colours)
    except PictureError:
        return None
    return CardPicture(
        content, DecodedPicture(square, *jpeg.size, "JPEG", jpeg.taken_at, jpeg.note)
    )


def shrunk(picture: torch.Tensor, size: tuple[int, int], spec: PixelSpec) -> torch.Tensor:
    """Resample a picture to a smaller size, as :func:`app.pictures.pixels.resampled` does.

    Args:
        picture: shape (channels, height, width), uint8.
        size: width and height of the result.

    Returns:
        shape (channels, size[1], size[0]), uint8.
    """
    _, height, width = picture.shape
    wide, high = size
    step = max(1, math.floor(min(width / wide, height / high) / REDUCING_GAP))
    small = _averaged(_averaged(picture, step, 1), step, 2)
    # The last whole step may reach beyond the picture, so the scale is given, not the size; what
    # is padded makes sure that rounding down costs no row or column.
    padded = functional.pad(small, (0, 1, 0, 1), mode="replicate")
    sampled = functional.interpolate(
        padded[None],
        scale_factor=(high * step / height, wide * step / width),
        mode=spec.interpolation,
        antialias=True,
    )[0]
    return sampled[:, :high, :wide].round().clamp(0, 255).to(torch.uint8)


def _averaged(picture: torch.Tensor, step: int, dim: int) -> torch.Tensor:
    """Means of ``step`` neighbours along a dimension, fewer at its end, in fp32."""
    if step == 1:
        return picture.float()
    whole, rest = divmod(picture.shape[dim], step)
    shape = picture.shape
    parts = picture.narrow(dim, 0, whole * step).reshape(
        *shape[:dim], whole, step, *shape[dim + 1 :]
    )
    means = parts.mean(dim=dim + 1, dtype=torch.float32)
    if not rest:
        return means
    last = picture.narrow(dim, whole * step, rest).mean(dim, keepdim=True, dtype=torch.float32)
    return torch.cat((means, last), dim)


def _without_exif(data: bytes) -> bytearray:
    """A copy that has no orientation: it is turned later, together with all other pictures."""
    copy = bytearray(data)
    while (at := copy.find(_EXIF, 0, _HEADER)) >= 0:
        copy[at : at + _EXIF_START] = bytes(_EXIF_START)
    return copy


def main() -> int:
    """Fork such processes for the worker, see :func:`fork_for_worker`.

    The libraries are loaded here, once. The card is not touched: what is opened on it before a
    fork is of no use after it.
    """
    import torchcodec.decoders  # noqa: F401 - loaded before forking

    return fork_for_worker(_serve)


def _serve(control: socket.socket) -> None:
    """Have a thread serve each socket that the worker sends, until it closes its end.

    The first message is the device. A card that does not decode, or is lost, ends the process.
    """
    logging.disable()  # what is wrong with a picture is said by the process that gets it next
    with contextlib.suppress(EOFError, OSError):  # the worker has ended
        device = torch.device(receive(control)[0])
        while True:
            message, sockets, _, _ = socket.recv_fds(control, 1, 1)
            if not message:
                return
            channel = socket.socket(fileno=sockets[0])
            threading.Thread(target=_serve_thread, args=(channel, device), daemon=True).start()


def _serve_thread(channel: socket.socket, device: torch.device) -> None:
    try:
        with _own_stream(device), contextlib.suppress(EOFError, OSError):
            decoder = CardDecoder(device)
            decoder.check()
            while True:
                (paths, spec, max_megapixels), _ = receive(channel)
                send(channel, decoder.decode(paths, spec, max_megapixels))
    except BaseException:  # noqa: BLE001 - the worker is told by the end of the process
        traceback.print_exc()
        os._exit(1)


def _own_stream(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """What one thread has the card do does not wait for what another has it do."""
    if device.type != "cuda":
        return contextlib.nullcontext()
    return torch.cuda.stream(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]
