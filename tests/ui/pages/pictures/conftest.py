"""A trash for the files of the page of pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_trash import own_trash

from app.services import file_act
from app.ui.pages.pictures import browser


@pytest.fixture
def trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files go into a trash of the test's own, and the page shows at once that they are gone."""
    monkeypatch.setattr(file_act, "enqueue_payload_refresh", lambda: None)
    monkeypatch.setattr(browser, "EVERY_S", 0.0)
    monkeypatch.setattr(browser, "REST", 0)
    return own_trash(tmp_path, monkeypatch)
