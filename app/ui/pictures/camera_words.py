"""How and when a picture was taken, in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.api.library_schemas import CameraFacts


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def date_of(taken_at: datetime | None, modified_ns: int) -> tuple[str, str]:
    """When a picture was taken, as the camera says; or else when its file was written, so named.

    Args:
        modified_ns: in nanoseconds since 1970; 0: unknown.
    """
    if taken_at is not None or not modified_ns:
        return "Taken", time_taken(taken_at)
    written = _EPOCH + timedelta(microseconds=modified_ns // 1000)
    return "File date", _moment(written.astimezone())


def time_taken(moment: datetime | None) -> str:
    """``3 June 2019, 14:05``; empty where the camera does not say."""
    return _moment(moment) if moment is not None else ""


def _moment(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y, %H:%M}"


def camera_details(facts: CameraFacts) -> list[tuple[str, str]]:
    """Names and values; what the file does not say is empty."""
    exposure = (
        _seconds(facts.exposureSeconds),
        f"f/{facts.aperture:.2g}" if facts.aperture else "",
        f"ISO {facts.iso:.0f}" if facts.iso else "",
        f"{facts.focalLength:.3g} mm" if facts.focalLength else "",
    )
    return [
        ("Camera", facts.camera),
        ("Lens", facts.lens),
        ("Exposure", ", ".join(filter(None, exposure))),
        ("Place", _place(facts.latitude, facts.longitude)),
    ]


def _seconds(seconds: float | None) -> str:
    """``1/250 s``, ``2.5 s``."""
    if not seconds:
        return ""
    return f"1/{1 / seconds:.0f} s" if seconds < 0.4 else f"{seconds:.3g} s"


def _place(latitude: float | None, longitude: float | None) -> str:
    """``60.3913° N, 5.3221° E``."""
    if latitude is None or longitude is None:
        return ""
    return (
        f"{abs(latitude):.4f}° {'S' if latitude < 0 else 'N'}, "
        f"{abs(longitude):.4f}° {'W' if longitude < 0 else 'E'}"
    )
