"""What stands in for a Qdrant server, one for all tests of the store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from local_qdrant import running_qdrant


@pytest.fixture(scope="session")
def local_qdrant() -> Iterator[str]:
    with running_qdrant() as server:
        yield server.url
