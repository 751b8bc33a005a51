"""What ``docs/reliability.md`` promises is proved by tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

from catalogue import all_faults

ROOT = Path(__file__).parents[2]
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_FAULTS = re.compile(r"\bfaults? ((?:`(?!make |tests/)[^`]+`(?:, | and )?)+)")


def test_every_proof_of_a_promise_exists() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    tests = _TEST.findall(text)
    faults = [name for group in _FAULTS.findall(text) for name in re.findall("`([^`]+)`", group)]
    assert min(len(tests), len(faults)) > 15, (len(tests), len(faults))
    sources = {path: (ROOT / path).read_text(encoding="utf-8") for path, _ in tests}
    gone = [name for path, name in tests if f"def {name}(" not in sources[path]]
    assert gone + [name for name in faults if name not in all_faults()] == []


def test_every_promise_has_a_proof() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "Promise" not in line]
    assert [row for row in rows if "`" not in row.split("|")[2]] == []
