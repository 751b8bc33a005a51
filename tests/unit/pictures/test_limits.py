"""What would take too long or too much memory is refused before it is decoded."""

from __future__ import annotations

import struct
import tracemalloc

import numpy as np
import pytest
from drawn_pictures import content, encoded, photo
from drawn_raw import tiff_of_rows
from PIL import Image

from app.api.error_kinds import ErrorKind
from app.pictures import limits
from app.pictures.decode import PictureError, PixelSpec, decode


def decoded(data: bytes) -> str:
    return decode(content(data), "a", PixelSpec(32), 200).note


def failure(data: bytes) -> PictureError:
    with pytest.raises(PictureError) as caught:
        decoded(data)
    return caught.value


def with_scans(number: int, side: int = 2000) -> bytes:
    data = encoded(Image.new("L", (side, side), 200), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + number * last + b"\xff\xd9"


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    error = failure(with_scans(1500))
    assert error.kind is ErrorKind.TOO_LARGE
    assert error.message.startswith("The picture stores its 4 megapixels in 1,50")
    assert decoded(with_scans(30)) == ""


def test_a_jpeg_that_is_not_progressive_can_have_many_scans_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "_MOST_WORK", 1)
    data = bytearray(encoded(photo(400, 300), "JPEG"))
    at = data.index(b"\xff\xda")
    scan = struct.pack(">HHBBBBBB", 0xFFDA, 8, 1, 1, 0, 0, 63, 0)
    assert decoded(bytes(data)) == ""
    del data[at:]
    assert failure(bytes(data) + 100 * (scan + bytes(20)) + b"\xff\xd9").kind is ErrorKind.TOO_LARGE


def test_a_usual_jpeg_is_not_searched_for_scans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_PASS", None)
    for mode in ("L", "RGB", "CMYK"):
        for restart in (0, 4):
            picture = photo(200, 100).convert(mode)
            assert decoded(encoded(picture, "JPEG", restart_marker_blocks=restart)) == ""


def test_a_tiff_of_very_many_pieces_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiff_of_rows(20, 400)
    assert decoded(data) == ""
    monkeypatch.setattr(limits, "_MOST_PIECES", 3)
    assert failure(data).kind is ErrorKind.TOO_LARGE


@pytest.mark.parametrize("mode", ["F", "I", "I;16", "P", "1", "LA", "RGBA"])
def test_no_copy_of_a_large_picture_is_made(mode: str) -> None:
    side = 3000
    picture = Image.new("L", (side, side), 90).convert(mode)
    data = encoded(picture, "TIFF" if mode in ("F", "I") else "PNG")
    decoded(data)  # what is made once
    tracemalloc.start()
    try:
        decoded(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(data) + 8 * 4_000_000 * 4  # a strip, not the 9 million pixels as floats


def test_floats_are_scaled_alike_in_every_strip() -> None:
    values = np.linspace(-5, 900, 2600 * 2000, dtype=np.float32).reshape(2600, 2000)
    values[1000, 1000] = np.nan
    seen = decode(
        content(encoded(Image.fromarray(values), "TIFF")), "a", PixelSpec(64, "squash"), 200
    ).pixels[..., 0]
    down = seen.astype(int).mean(axis=1)
    assert (np.diff(down) >= 0).all()
    assert down[-1] < 10  # 900 of 65535
