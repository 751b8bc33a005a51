"""Pictures are counted as a session would find them."""

from __future__ import annotations

from pathlib import Path

from app.scan.discovery import PictureCounter


async def test_counting_leaves_out_what_the_session_would(tmp_path: Path) -> None:
    for name in ("a/one.jpg", "a/inner/two.jpg", "b/three.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    counter = PictureCounter(None, str(tmp_path), ["inner/", "b/three.jpg"])
    assert (await counter.count(str(tmp_path))).pictures == 1
    assert (await counter.count(str(tmp_path / "a" / "inner"))).pictures == 0
