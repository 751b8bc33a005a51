"""Windows on a small screen with large type, and a place remembered from a larger one."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import QRect
from screens import program, virtual_screen

PROGRAM = str(Path(__file__).parents[1] / "small_screen.py")


def places(screen: str, file: Path, scale: str) -> dict[str, QRect]:
    with program(screen, PROGRAM, str(file), QT_SCALE_FACTOR=scale) as told:
        return {name: QRect(*place) for name, place in json.loads(told()).items()}


def test_all_windows_fit_at_a_scale_of_one_and_a_half(tmp_path: Path) -> None:
    with virtual_screen("1920x1080") as screen:
        large = places(screen, tmp_path / "window.ini", "1")
    assert large["window"].size().toTuple() == (1100, 720)
    with virtual_screen("1440x900") as screen:
        small = places(screen, tmp_path / "window.ini", "1.5")
    assert small["screen"].size().toTuple() == (960, 600)
    for name in ("window", "dialog"):
        assert small["screen"].contains(small[name]), (name, small[name])
        assert small["screen"].height() - small[name].height() > 30, "no room for its frame"
