"""From a picture's content to the small PNG that people see in lists and grids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from app.pictures.colour import to_srgb
from app.pictures.decode import load, quietly
from app.pictures.pixels import PixelSpec, resampled, upright

_MIME_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "HEIF": "image/heif",
    "AVIF": "image/avif",
    "RAW": "image/x-dcraw",
}
_SOFTWARE = {"Software": "Afterimage"}


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture, upright, and what is worth knowing about the large one."""

    image: Image.Image
    """Mode L, RGB or RGBA."""
    texts: dict[str, str]
    """Kind and size of the picture, by the names of the standard."""


def make_thumbnail(data: bytes, name: str, edge: int, max_megapixels: int) -> Thumbnail:
    """Decode a picture as for the model, but whole, in its own shape, and with its transparency.

    Args:
        data: the file's content.
        name: the file's name, for the wording of errors.
        edge: pixels of the longest side; smaller pictures stay as they are.
        max_megapixels: a picture with more is refused before it is decoded.

    Raises:
        PictureError: as :func:`app.pictures.decode.decode` does.
    """
    with quietly():
        loaded = load(data, name, PixelSpec(edge, "longest"), max_megapixels)
        right, bottom = loaded.area  # whose shape counts: a RAW file's preview may be cropped
        ratio = max(loaded.area) / min(edge, max(loaded.width, loaded.height))
        wide, high = max(1, round(right / ratio)), max(1, round(bottom / ratio))
        resized = resampled(loaded.picture, (wide, high), (0.0, 0.0, right, bottom))
        resized = to_srgb(resized, loaded.colours)
        image = Image.fromarray(
            np.ascontiguousarray(upright(np.asarray(resized), loaded.orientation))
        )
    texts = {
        "Thumb::Mimetype": _MIME_TYPES[loaded.format],
        "Thumb::Image::Width": str(loaded.width),
        "Thumb::Image::Height": str(loaded.height),
    }
    return Thumbnail(image, texts)


def thumbnail_png(
    data: bytes, name: str, edge: int, max_megapixels: int, about: Mapping[str, str]
) -> bytes:
    """:func:`make_thumbnail` as a PNG file that also says ``about`` what it is."""
    thumbnail = make_thumbnail(data, name, edge, max_megapixels)
    return as_png(thumbnail.image, {**about, **thumbnail.texts})


def as_png(image: Image.Image, texts: Mapping[str, str]) -> bytes:
    """A PNG file with these texts in it, and with the name of this program."""
    info = PngInfo()
    for key, text in {**texts, **_SOFTWARE}.items():
        info.add_text(key, text)
    file = BytesIO()
    image.save(file, "PNG", pnginfo=info)
    return file.getvalue()


def empty_png(texts: Mapping[str, str]) -> bytes:
    """A PNG file of one transparent pixel, which stands for a failure."""
    return as_png(Image.new("RGBA", (1, 1)), texts)


def texts_of(data: bytes) -> dict[str, str] | None:
    """What stands in a PNG file, this program's or another's; None where it is not whole."""
    try:
        with PngImageFile(BytesIO(data)) as picture:
            picture.load()
            return {str(key): text for key, text in picture.info.items() if isinstance(text, str)}
    except Exception:  # noqa: BLE001 - Pillow raises almost anything on damaged data
        return None
