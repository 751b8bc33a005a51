"""How a picture was taken, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.api.library_schemas import CameraFacts


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
