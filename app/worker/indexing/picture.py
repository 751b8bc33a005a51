"""One picture on its way through a session, and a batch of them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC

import numpy as np
from numpy.typing import NDArray
from rq.timeouts import BaseTimeoutException
from sqlalchemy.exc import SQLAlchemyError

from app.api.error_kinds import ErrorKind
from app.db.jobs import Claim, ClaimedJob
from app.db.settle import Outcome
from app.errors import AppError, first_line
from app.pictures.decode import DecodedPicture, FileContent, PictureError
from app.vectors.protocol import PointPayload

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Picture:
    """One picture on its way through the stages."""

    outcome: Outcome
    pixels: NDArray[np.uint8] | None = None
    """(size, size, 3); None where it failed or its content is known."""
    same_as: int | None = None
    """An asset with the same content, whose vector is stored."""
    known_checksum: str = ""
    """What the vector of that content has for a checksum."""
    vector: NDArray[np.float32] | None = None
    """(dimension,), unit length."""
    fence: int = 0
    """Number of its store, the same in a batch; 0 while it is not to be stored."""
    payload: PointPayload = field(default_factory=PointPayload)
    read_ms: float = 0.0
    """To read the file and take its checksum."""
    decode_ms: float = 0.0

    @property
    def job(self) -> ClaimedJob:
        return self.outcome.job

    def note_content(self, content: FileContent) -> None:
        self.outcome.facts = {
            "size": content.size,
            "mtime_ns": content.mtime_ns,
            "sha256": content.sha256,
        }

    def note_decoded(self, decoded: DecodedPicture) -> None:
        self.pixels = decoded.pixels
        self.outcome.note = decoded.note
        self.outcome.facts |= {
            "width": decoded.width,
            "height": decoded.height,
            "format": decoded.format,
            "taken_at": decoded.taken_at and decoded.taken_at.replace(tzinfo=UTC),
        }

    def fail(self, kind: ErrorKind, message: str) -> None:
        self.outcome.error_kind, self.outcome.error_message = kind, message
        self.pixels = self.vector = None

    @contextlib.contextmanager
    def to_blame(self) -> Iterator[None]:
        """Make whatever is raised for this picture its failure, and nobody else's."""
        try:
            yield
        except PictureError as error:
            if error.kind is ErrorKind.INTERNAL:
                log.exception("unforeseen: %s", self.job.path)
            self.fail(error.kind, error.message)
        except MemoryError:
            self.fail(ErrorKind.OUT_OF_MEMORY, "There was not enough memory for this picture.")
        except (AppError, SQLAlchemyError, BaseTimeoutException):  # not this picture's fault
            raise
        except Exception as error:
            log.exception("unforeseen: %s", self.job.path)
            self.fail(ErrorKind.INTERNAL, f"Something unexpected happened: {first_line(error)}.")


@dataclass(slots=True)
class Batch:
    """A claim and its pictures, which are being decoded."""

    claim: Claim
    pictures: list[Future[Picture]] = field(default_factory=list)

    def is_ready(self) -> bool:
        """Whether all of its pictures are read."""
        return all(picture.done() for picture in self.pictures)
