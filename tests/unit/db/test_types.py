from __future__ import annotations

import os

import pytest

from app.db.types import normal_path, path_to_text, text_to_path

NAMES = [b"/a/plain.jpg", b"/a/caf\xe9.jpg", "/a/😀\n.jpg".encode(), b"/\xff/\xfe\\.jpg"]


@pytest.mark.parametrize("name", NAMES)
def test_any_file_name_survives_the_ledger(name: bytes) -> None:
    text = path_to_text(os.fsdecode(name))
    text.encode("utf-8")  # storable
    assert os.fsencode(text_to_path(text)) == name


def test_an_escape_cannot_be_forged_because_paths_are_normalised() -> None:
    assert normal_path("//a//dce9/../b/") == "/a/b"
