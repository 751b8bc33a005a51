"""What a camera wrote beside a picture, in every format that can hold it."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from PIL import ExifTags, Image

from app.api.library_schemas import CameraFacts
from app.pictures.camera import camera_facts, facts_in

Base, Gps, Ifd = ExifTags.Base, ExifTags.GPS, ExifTags.IFD
FACTS = CameraFacts(
    camera="Canon EOS R5",
    lens="RF 24-70mm F2.8",
    exposureSeconds=0.004,
    aperture=2.8,
    iso=400,
    focalLength=35,
    latitude=-33.5,
    longitude=151.25,
)


def exif(**values: float) -> Image.Exif:
    made = Image.Exif()
    made[Base.Make], made[Base.Model] = "Canon", "Canon EOS R5\0"
    taken: dict[int, Any] = {
        Base.LensModel: "RF 24-70mm F2.8",
        Base.ExposureTime: 0.004,
        Base.FNumber: 2.8,
        Base.ISOSpeedRatings: 400,
        Base.FocalLength: 35.0,
    }
    taken |= {getattr(Base, name): value for name, value in values.items()}
    made.get_ifd(Ifd.Exif).update(taken)
    made.get_ifd(Ifd.GPSInfo).update(
        {
            Gps.GPSLatitudeRef: "S",
            Gps.GPSLatitude: (33.0, 30.0, 0.0),
            Gps.GPSLongitudeRef: "E",
            Gps.GPSLongitude: (151.0, 15.0, 0.0),
        }
    )
    return made


def saved(kind: str, facts: Image.Exif) -> bytes:
    target = BytesIO()
    Image.new("RGB", (8, 8)).save(target, kind, exif=facts)
    return target.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_every_format_says_how_a_picture_was_taken(kind: str) -> None:
    pillow_heif.register_heif_opener()
    # Pillow writes no nested EXIF data into a TIFF file
    data = exif().tobytes()[6:] if kind == "TIFF" else saved(kind, exif())
    found = facts_in(data)
    assert found.exposureSeconds == pytest.approx(0.004, rel=1e-3)
    assert found.aperture == pytest.approx(2.8, rel=1e-3)
    assert found.model_copy(update={"exposureSeconds": 0.004, "aperture": 2.8}) == FACTS


def test_a_maker_that_the_model_does_not_name_is_said() -> None:
    made = exif()
    made[Base.Make], made[Base.Model] = "SONY", "ILCE-7M4"
    assert facts_in(saved("JPEG", made)).camera == "SONY ILCE-7M4"


def test_nonsense_is_left_out() -> None:
    made = exif(FocalLength=0.0, ExposureTime=float("nan"))
    made.get_ifd(Ifd.GPSInfo)[Gps.GPSLatitude] = (500.0, 0.0, 0.0)
    found = facts_in(saved("JPEG", made))
    assert (found.latitude, found.focalLength, found.exposureSeconds) == (None, None, None)
    assert found.iso == 400


@pytest.mark.parametrize(
    "data", [b"", b"x" * 99, b"Exif\0\0II*\0", b"MM\0*" + b"\xff" * 99, b"Exif\0\0MM\0*\0\0\0\x08"]
)
def test_damaged_data_says_nothing(data: bytes) -> None:
    assert facts_in(data) == CameraFacts()


def test_what_is_no_file_says_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "gone", "\0"):
        assert camera_facts(str(path)) == CameraFacts()


def test_a_name_that_is_no_text_is_read(tmp_path: Path) -> None:
    path = str(tmp_path / os.fsdecode(b"caf\xe9.jpg"))
    Path(path).write_bytes(saved("JPEG", exif()))
    assert camera_facts(path).camera == "Canon EOS R5"
