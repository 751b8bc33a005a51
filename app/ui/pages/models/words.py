"""What the Models page says about a model. No Qt in here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.printable import printable
from app.ui.parts import words

if TYPE_CHECKING:
    from app.api.model_schemas import ModelRow


def facts(row: ModelRow) -> str:
    """``605 MB to download · Descriptions in English``: what to know before choosing."""
    parts = []
    if row.kind == "builtin":
        parts.append("Built in")
    elif row.diskBytes and row.state in ("ready", "unavailable"):
        parts.append(f"{words.size(row.diskBytes)} on this computer")
    elif row.downloadMb:
        parts.append(f"{words.size(row.downloadMb * 1_000_000)} to download")
    if row.languages:
        parts.append(f"Descriptions in {languages(row)}")
    if row.state == "ready":
        parts.append(speed(row))
    return "  ·  ".join(parts)


def languages(row: ModelRow) -> str:
    """``English``, ``about 100 languages``."""
    return row.languages if row.languages[:1].isupper() else f"{row.languages} languages"


def speed(row: ModelRow) -> str:
    """``About 38 pictures a second on this computer (CPU)``."""
    known = row.speed
    if known is None or not known.picturesPerSecond:
        return "Speed not measured yet"
    number = known.picturesPerSecond
    if number < 1:
        return f"About {words.duration(1 / number)} a picture on this computer"
    rate = f"{number:.1f}" if number < 10 else words.count(round(number))
    device = words.device_name((known.measuredOn or "").split(" ")[0])
    return f"About {rate} pictures a second on this computer ({device})"


def indexed(row: ModelRow) -> str:
    """``19,898 pictures indexed, used for searches``; empty where there are none."""
    if not row.vectors:
        return f"Indexing {words.plural(row.pictures, 'picture')}" if row.indexing else ""
    text = f"{words.plural(row.vectors, 'picture')} indexed"
    if any(index.inSearch for index in row.indexes):
        text += ", used for searches"
    return f"{text}; indexing continues" if row.indexing else text


def details(row: ModelRow) -> str:
    """The names that others know it by."""
    parts = [printable(row.spec)]
    if row.figures:
        parts.append(row.figures)
    if row.parametersM:
        parts.append(f"{row.parametersM:.0f} M parameters, {row.pixels} pixels")
    if row.dimension:
        parts.append(f"{row.dimension} dimensions")
    if row.licence:
        parts.append(row.licence)
    return "  ·  ".join(parts)


def summary(rows: list[ModelRow]) -> str:
    """``2 models on this computer, 1.2 GB``."""
    here = [row for row in rows if row.state == "ready"]
    size = sum(row.diskBytes for row in rows if row.kind != "folder")
    return f"{words.plural(len(here), 'model')} on this computer, {words.size(size)}"


def switch_question(row: ModelRow, others: list[ModelRow]) -> tuple[str, str]:
    """Title and text: what indexing everything with this model means."""
    sessions = sum(other.sessions for other in others)
    pictures = sum(other.pictures for other in others)
    what = f"{words.plural(sessions, 'session')} with {words.plural(pictures, 'picture')}"
    lasts = "."
    if (known := row.speed) and known.picturesPerSecond:
        lasts = f", for about {words.duration(pictures / known.picturesPerSecond)} or more."
    text = (
        f"{what} {'is' if sessions == 1 else 'are'} indexed again{lasts} Until that is done, "
        "searches use the current index, which is kept."
    )
    return f"Index everything with {row.title}?", text


def remove_question(row: ModelRow) -> tuple[str, str]:
    """Title and text: what deleting the downloaded files means."""
    text = f"This frees {words.size(row.diskBytes)}."
    if row.vectors or row.sessions:
        text += " The index stays, but searching it downloads the model again."
    if row.inUse:
        text += " It is the model for new sessions."
    return f"Remove the download of {row.title}?", text


def remove_index_question(row: ModelRow, vectors: int) -> tuple[str, str]:
    """Title and text: what deleting an index means."""
    text = (
        f"{words.plural(vectors, 'picture')} can then no longer be found with it. Your pictures "
        "themselves are not touched."
    )
    return f"Remove the index of {row.title}?", text
