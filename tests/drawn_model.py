"""The model of most tests: very small, at home among drawn pictures, and quick."""

from __future__ import annotations

from pathlib import Path

DRAWN_MODEL = str(Path(__file__).parent / "drawn-model")
"""Its folder, which is what the setting ``MODEL`` takes."""
