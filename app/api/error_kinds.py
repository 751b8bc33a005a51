"""Why a picture failed: the causes that the ledger stores and that a person sees failures by."""

from __future__ import annotations

from enum import StrEnum


class ErrorKind(StrEnum):
    """A cause of failure; its value is what the ledger stores."""

    title: str  # type: ignore[assignment]  # in place of str.title(), of no use on a kind
    """What a person sees when failures are grouped by cause."""
    advice: str
    """What a person can do about it, in one sentence."""

    def __new__(cls, value: str, title: str, advice: str) -> ErrorKind:
        member = str.__new__(cls, value)
        member._value_ = value
        member.title = title
        member.advice = advice
        return member

    MISSING = (
        "missing",
        "The file was moved or deleted",
        "Put the file back, or index the folder again to bring the list up to date.",
    )
    UNREADABLE = (
        "unreadable",
        "The file cannot be read",
        "Check the permissions of the file and that its disk is connected, then try again.",
    )
    BUSY = (
        "busy",
        "The file is in use",
        "Wait until the other program is done with the file, then try again.",
    )
    EMPTY = (
        "empty",
        "The file is empty",
        "Copy the file again from where it came from, or delete it.",
    )
    UNSUPPORTED = (
        "unsupported",
        "A format that cannot be read",
        "Save the picture as JPEG or PNG to have it indexed.",
    )
    MISLABELLED = (
        "mislabelled",
        "Not a picture",
        "Rename the file with the extension that matches its content, or exclude it.",
    )
    CORRUPT = (
        "corrupt",
        "The picture data is damaged",
        "Restore the file from a backup or copy it again from the camera or card.",
    )
    TRUNCATED = (
        "truncated",
        "The file is cut off",
        "Copy or download the file again; the last copy did not finish.",
    )
    TOO_LARGE = (
        "too_large",
        "The picture is too large",
        "Raise AFTERIMAGE_MAX_IMAGE_MEGAPIXELS, or save a smaller copy of the picture.",
    )
    OUT_OF_MEMORY = (
        "out_of_memory",
        "Not enough memory",
        "Close other programs or choose a smaller batch size, then try again.",
    )
    TOO_SLOW = (
        "too_slow",
        "The picture takes too long to decode",
        "Save the picture again as JPEG or PNG, or exclude it.",
    )
    INVALID_VECTOR = (
        "invalid_vector",
        "The model gave no usable result",
        "Try again with another precision or on the CPU.",
    )
    WORKER_DIED = (
        "worker_died",
        "Indexing stopped at this picture",
        "Try again; if it happens again, exclude the picture.",
    )
    MODEL = (
        "model",
        "The model failed",
        "Check the model on the System page, then try again.",
    )
    INTERNAL = (
        "internal",
        "Something unexpected happened with this picture",
        "Exclude the picture, or save it again as JPEG or PNG; the log says what happened.",
    )

    @property
    def transient(self) -> bool:
        """Whether another try may succeed with the file as it is."""
        return self in _TRANSIENT


_TRANSIENT = frozenset(
    {ErrorKind.BUSY, ErrorKind.OUT_OF_MEMORY, ErrorKind.WORKER_DIED, ErrorKind.UNREADABLE}
)
