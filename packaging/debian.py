"""A package for Debian made of the program folder, with all that a desktop wants to know of it."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import time
from pathlib import Path

from desktop_entry import ICONS, menu_entry

from app.bundled import RESOURCES
from app.ui.shell.display import LIBRARIES

LINUX = Path(__file__).resolve().parent / "linux"
PROGRAM = "usr/lib/afterimage"
NOBODY = "Afterimage <afterimage@localhost>"
"""Maintains a package that nobody publishes; whoever does sets MAINTAINER to a name and address."""
C_LIBRARY = "2.36"
"""Of the Debian that it is built on."""

_CONTROL = """\
Package: afterimage
Version: {version}
Section: graphics
Priority: optional
Architecture: amd64
Installed-Size: {size}
Depends: libc6 (>= {c_library}), {libraries}
Recommends: fonts-dejavu-core | fonts-liberation, xdg-utils
Maintainer: {maintainer}
Description: find any picture in a large folder by describing it
 Afterimage looks at every picture in your folders once, in the background.
 From then on you can find any of them by a description, or by a similar
 picture. Everything happens on your own computer, and pictures are only read.
 .
 What understands pictures, the engine, is downloaded by the program itself,
 as it fits the computer: for its processor or its graphics card.
"""

_COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Afterimage
Comment: The licences of all that is inside lie in /usr/lib/afterimage/licences, and a list of it
 in /usr/lib/afterimage/sbom.cdx.json.

Files: *
Copyright: The authors of Afterimage
License: MIT
{licence}
"""


def build(program: Path, work: Path, target: Path, version: str) -> Path:
    """Make the package; its path.

    Args:
        program: the folder that PyInstaller made.
        work: a folder for what goes into it.
    """
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(program, work / PROGRAM, symlinks=True)
    (work / "usr/bin").mkdir(parents=True)
    (work / "usr/bin/afterimage").symlink_to("../lib/afterimage/afterimage")
    share = work / "usr/share"
    for source, place in ICONS.items():
        _write(share / place, (RESOURCES / "icons" / source).read_bytes())
    _write(share / "applications/afterimage.desktop", menu_entry(["afterimage"]))
    _write(share / "metainfo/afterimage.metainfo.xml", _metainfo(version))
    _write(share / "man/man1/afterimage.1.gz", _packed(LINUX / "afterimage.1"))
    papers = share / "doc/afterimage"
    licence = (program / "LICENSE").read_text("utf-8")
    indented = "\n".join(f" {line}" if line.strip() else " ." for line in licence.splitlines())
    _write(papers / "copyright", _COPYRIGHT.format(licence=indented).encode())
    _write(papers / "changelog.gz", _packed(LINUX.parents[1] / "CHANGELOG.md"))
    _write(share / "lintian/overrides/afterimage", (LINUX / "lintian-overrides").read_bytes())
    _write(work / "DEBIAN/control", _control(work, version).encode())
    _write(work / "DEBIAN/postrm", (LINUX / "postrm").read_bytes())
    _set_rights(work)
    path = target / f"afterimage_{version}_amd64.deb"
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", "-Zxz", "-z3", work, path],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return path


def _control(work: Path, version: str) -> str:
    size = sum(path.lstat().st_size for path in work.rglob("*") if path.is_file())
    return _CONTROL.format(
        version=version,
        size=size // 1024,
        c_library=C_LIBRARY,
        maintainer=os.environ.get("MAINTAINER", NOBODY),
        libraries=", ".join(LIBRARIES.values()),
    )


def _metainfo(version: str) -> bytes:
    text = (LINUX / "afterimage.metainfo.xml").read_text("utf-8")
    now = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    today = time.strftime("%Y-%m-%d", time.gmtime(now))
    return text.replace("@VERSION@", version).replace("@DATE@", today).encode()


def _packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 9, mtime=0)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _set_rights(work: Path) -> None:
    """As Debian has them: everybody reads, programs and folders can be entered, nobody writes."""
    for path in [work, *work.rglob("*")]:
        if path.is_symlink():
            continue
        enters = path.is_dir() or path.name == "postrm"
        runs = bool(path.stat().st_mode & 0o100) and ".so" not in path.suffixes
        path.chmod(0o755 if enters or runs else 0o644)
