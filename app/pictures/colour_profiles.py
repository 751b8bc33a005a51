"""ICC profiles for pictures that name their colours by numbers instead of bringing a profile.

A profile is written of the primaries and the curve, as the ICC specification lays it out, so that
every picture is converted in the one way.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

_SRGB_PRIMARIES = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
"""x and y of white, red, green and blue."""
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_NEAR = 0.002
_USUAL_GAMMA, _USUAL = 1 / 2.2, 0.01
_Curve = float | Literal["PQ", "HLG", "sRGB"]
"""How light follows from a level: a gamma, or a curve with a name."""
_CURVES: dict[object, _Curve] = {4: 2.2, 5: 2.8, 8: 1.0, 16: "PQ", 18: "HLG"}  # ITU-T H.273
_STEPS = 1024  # of a curve
_WHITE_OF_PQ = 203 / 10_000
"""White paper, of the brightest light that PQ can tell (ITU-R BT.2408); what is brighter is cut."""
_WHITE_OF_HLG = 0.265  # the same of HLG, as linear light of the scene


def profile_of_nclx(nclx: Mapping[str, Any]) -> bytes:
    """A profile for the codes in a HEIF file, as pillow-heif tells them; empty for sRGB.

    The curve of television (BT.709, BT.601, BT.2020) counts as that of sRGB, as in browsers.
    """
    points = [
        nclx.get(f"color_primary_{name}_{axis}")
        for name in ("white", "red", "green", "blue")
        for axis in "xy"
    ]
    return _profile_of(points, _CURVES.get(nclx.get("transfer_characteristics"), "sRGB"))


def profile_of_png(gamma: object, chromaticity: object) -> bytes:
    """A profile for the chunks gAMA and cHRM of a PNG file, by Pillow; empty for sRGB."""
    if not isinstance(gamma, float) or not 0.1 <= gamma <= 2:
        return b""
    points = chromaticity if isinstance(chromaticity, tuple) else _SRGB_PRIMARIES
    return _profile_of(points, "sRGB" if abs(gamma - _USUAL_GAMMA) < _USUAL else 1 / gamma)


def _profile_of(points: Sequence[Any], curve: _Curve) -> bytes:
    usable = len(points) == 8 and all(isinstance(p, float) and 0 < p < 1 for p in points)
    primaries = tuple(np.round(points, 4).tolist()) if usable else _SRGB_PRIMARIES
    if np.allclose(primaries, _SRGB_PRIMARIES, atol=_NEAR):
        primaries = _SRGB_PRIMARIES
    if primaries == _SRGB_PRIMARIES and curve == "sRGB":
        return b""
    try:
        with np.errstate(all="raise"):
            return _written(primaries, curve)
    except (np.linalg.LinAlgError, ArithmeticError, struct.error):  # primaries on one line
        return b""


@lru_cache(16)
def _written(primaries: tuple[float, ...], curve: _Curve) -> bytes:
    """The file of a profile: a header, a table of tags, and what they name."""
    columns = _primaries_for_d50(primaries)
    samples = np.clip(_light(curve) * 65535, 0, 65535).round().astype(">u2").tobytes()
    shape = b"curv" + struct.pack(">II", 0, _STEPS) + samples
    tags = {
        b"wtpt": _xyz(_D50),
        b"rXYZ": _xyz(columns[:, 0]),
        b"gXYZ": _xyz(columns[:, 1]),
        b"bXYZ": _xyz(columns[:, 2]),
        b"rTRC": shape,
        b"gTRC": shape,
        b"bTRC": shape,
    }
    at = 128 + 4 + 12 * len(tags)
    table = struct.pack(">I", len(tags))
    for name, value in tags.items():
        table += name + struct.pack(">II", at, len(value))
        at += len(value)
    head = struct.pack(">I4sI4s4s4s", at, b"", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + _xyz(_D50)[8:]
    return head.ljust(128, b"\0") + table + b"".join(tags.values())


def _primaries_for_d50(primaries: tuple[float, ...]) -> NDArray[np.float64]:
    """XYZ of red, green and blue as columns, as they look where D50 is white."""
    white, *colours = (
        np.array([x / y, 1.0, (1 - x - y) / y])
        for x, y in zip(primaries[::2], primaries[1::2], strict=True)
    )
    matrix = np.stack(colours, axis=1)
    matrix = matrix * np.linalg.solve(matrix, white)
    scale = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: NDArray[np.float64] = np.linalg.solve(_BRADFORD, scale[:, None] * (_BRADFORD @ matrix))
    return adapted


def _light(curve: _Curve) -> NDArray[np.float64]:
    """The light of each level, 0 to 1, with 1 for white paper; shape (_STEPS,)."""
    level = np.linspace(0, 1, _STEPS)
    if curve == "PQ":
        root = level ** (1 / 78.84375)
        light = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
        light = light ** (1 / 0.1593017578125) / _WHITE_OF_PQ
    elif curve == "HLG":
        upper = (np.exp((level - 0.55991073) / 0.17883277) + 0.28466892) / 12
        light = np.where(level <= 0.5, level**2 / 3, upper) / _WHITE_OF_HLG
    elif curve == "sRGB":
        light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    else:
        light = level**curve
    return np.minimum(light, 1.0)


def _xyz(values: NDArray[np.float64]) -> bytes:
    return b"XYZ " + struct.pack(">I3i", 0, *(round(65536 * value) for value in values.tolist()))
