"""The formats that are read, and the endings that their files go by."""

from __future__ import annotations

# fmt: off
NAME_ENDINGS: dict[str, tuple[str, ...]] = {
    "JPEG": ("jpg", "jpeg", "jpe", "jfif", "jif", "jps", "pjpeg", "pjp", "mpo"),
    "PNG": ("png", "apng"),
    "WEBP": ("webp",),
    "GIF": ("gif",),
    "BMP": ("bmp", "dib"),
    "TIFF": ("tif", "tiff"),
    "HEIF": ("heic", "heics", "heif", "heifs", "hif"),
    "AVIF": ("avif", "avifs"),
    "RAW": (
        "3fr", "arw", "cr2", "cr3", "crw", "dcr", "dcs", "dng", "drf", "erf", "fff", "gpr", "iiq",
        "k25", "kc2", "kdc", "mef", "mos", "mrw", "nef", "nrw", "orf", "ori", "pef", "ptx", "raf",
        "raw", "rw2", "rwl", "sr2", "srf", "srw", "x3f",
    ),
}
FORMER_DEFAULT_EXTENSIONS = frozenset({
    "jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "heic", "heif", "avif",
    "3fr", "arw", "cr2", "cr3", "dng", "erf", "iiq", "kdc", "mos", "mrw", "nef", "nrw",
    "orf", "pef", "raf", "rw2", "rwl", "sr2", "srw", "x3f",
})
"""What a session stored that was made before the list grew; nobody chose it, so it grows too."""
# fmt: on
DEFAULT_EXTENSIONS = tuple(
    ending for endings in NAME_ENDINGS.values() for ending in endings if ending != "raw"
)
"""What is looked for; not "raw", by which many other programs name other things."""
