"""What the documents point at exists: files, modules and sections of other documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("resources/*.md")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:app|docs|migrations|packaging|resources|tests)/[\w./-]*)[`:]")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = [link for link in _LINK.findall(text) if "://" not in link]
    paths = [ROOT / path for path in _PATH.findall(text)]
    missing = [link for link in links if not _leads_somewhere(document, link)]
    assert missing + [str(path) for path in paths if not path.exists()] == []


def _leads_somewhere(document: Path, link: str) -> bool:
    path, _, section = link.partition("#")
    target = document.parent / path if path else document
    return target.exists() and (not section or section in _sections(target))


def _sections(document: Path) -> set[str]:
    """The anchors of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }
