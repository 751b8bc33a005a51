from __future__ import annotations

from app.printable import printable


def test_a_path_is_one_line_of_text() -> None:
    assert printable("a\r\nb") == "a⏎b"
    assert printable(b"\xff".decode("utf-8", "surrogateescape")) == "\N{REPLACEMENT CHARACTER}"
