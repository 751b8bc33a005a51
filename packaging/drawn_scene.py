"""One drawn picture in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scene:
    """What one picture shows; `drawing.WORLD[kind]` lists the fields a kind uses, others are empty.

    `jitter` seeds what the words leave open; scenes that differ only in it share their captions.
    """

    kind: str
    subject: str = ""
    colour: str = ""
    size: str = ""
    place: str = ""
    count: int = 1
    other_subject: str = ""
    other_colour: str = ""
    background: str = ""
    jitter: int = 0

    @property
    def combination(self) -> tuple[str | int, ...]:
        """Everything the full caption says: all fields but `jitter`."""
        return tuple(getattr(self, name) for name in self.__slots__[:-1])
