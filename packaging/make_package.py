"""Build everything that people download: wheel, sdist, program folder, .deb and .tar.xz.

    python packaging/make_package.py [FOLDER]

Works in ``build/package`` with an environment of its own, from the versions in ``constraints.txt``;
the engine is in none of the files. Prints what was made, and how large it is.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
from pathlib import Path

import debian

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "package"
TOOLS = ("build>=1.3", "pyinstaller>=6.16", "pyinstaller-hooks-contrib", "packaging")
SBOM = WORK / "sbom.cdx.json"
SBOM_TOOL = "cyclonedx-bom>=7"
SOURCE = ("app", "migrations", "resources", "packaging")
SOURCE_FILES = (
    "pyproject.toml",
    "setup.py",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "constraints.txt",
)
LARGEST_DEB = 220_000_000
LICENCE_NAMES = ("licen", "copying", "notice", "copyright")
WITHOUT_TEXT = {
    "pyside6_essentials": ("LGPL-3", "GPL-3"),
    "shiboken6": ("LGPL-3", "GPL-3"),
    "qdrant_edge_py": ("Apache-2.0",),
}
"""Wheels that name their licence and do not have it; Debian has the texts."""


def main() -> int:
    """Make everything; the exit code."""
    if not sysconfig.get_config_var("Py_ENABLE_SHARED") and sys.platform != "win32":
        print("This Python has no shared library, which a package needs: use Debian's python3.")
        return 1
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").absolute()
    version = _version()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    target.mkdir(parents=True, exist_ok=True)
    source = _copied_source()
    python = _environment(WORK / "environment", source)
    say("wheel and sdist")
    run(python, "-m", "build", "--outdir", target, source)
    say("program folder")
    run(
        *(python, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"),
        *("--distpath", WORK / "program", "--workpath", WORK / "pyinstaller"),
        source / "packaging" / "afterimage.spec",
        cwd=source,
    )
    program = WORK / "program" / "afterimage"
    _add_papers(program, python)
    made = [
        *target.glob(f"afterimage-{version}*.whl"),
        *target.glob(f"afterimage-{version}.tar.gz"),
    ]
    if sys.platform == "linux":
        say("archive")
        made.append(_archive(program, target, version))
        say("package for Debian")
        made.append(debian.build(program, WORK / "debian", target, version))
    say(f"{_size(program) / 1e6:7,.1f} MB  {program} (unpacked)")
    for path in made:
        say(f"{path.stat().st_size / 1e6:7,.1f} MB  {path}")
    too_large = [path for path in made if path.stat().st_size > LARGEST_DEB]
    for path in too_large:
        say(f"{path.name} is larger than {LARGEST_DEB / 1e6:,.0f} MB.")
    return 1 if too_large else 0


def _version() -> str:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def _copied_source() -> Path:
    """What is built from: nothing that lies about in the checkout gets into a package."""
    source = WORK / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in SOURCE:
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in SOURCE_FILES:
        shutil.copy(ROOT / name, source)
    return source


def _environment(folder: Path, source: Path) -> Path:
    """An environment with the program, without its engine, and what packages it; its Python.

    The list of what is inside is made before the tools come.
    """
    say("environment")
    python = _new_environment(folder)
    constrained = ("--quiet", "--constraint", source / "constraints.txt")
    run(python, "-m", "pip", "install", *constrained, source)
    tools = _new_environment(WORK / "tools")
    run(tools, "-m", "pip", "install", "--quiet", SBOM_TOOL)
    run(
        *(tools, "-m", "cyclonedx_py", "environment", "--output-format", "JSON"),
        *("--pyproject", ROOT / "pyproject.toml", "--output-file", SBOM, python),
    )
    run(python, "-m", "pip", "install", *constrained, *TOOLS)
    return python


def _new_environment(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _add_papers(program: Path, python: Path) -> None:
    """The list of everything inside, and its licences."""
    say("list of contents and licences")
    shutil.copy(ROOT / "LICENSE", program)
    licences = program / "licences"
    for found in (python.parents[1] / "lib").rglob("*.dist-info"):
        texts = {
            "-".join(path.relative_to(found).parts): path
            for path in found.rglob("*")
            if path.is_file() and path.name.lower().startswith(LICENCE_NAMES)
        }
        if sys.platform == "linux":
            for name in WITHOUT_TEXT.get(found.name.partition("-")[0].lower(), ()):
                texts[name] = Path("/usr/share/common-licenses", name)
            if not texts:
                raise SystemExit(f"{found.name} has no licence: add it to WITHOUT_TEXT.")
        folder = licences / found.name.removesuffix(".dist-info")
        folder.mkdir(parents=True)
        for name, path in texts.items():
            shutil.copy(path, folder / name)
    standard = Path(sysconfig.get_path("stdlib"), "LICENSE.txt")
    of_python = standard if standard.is_file() else Path("/usr/share/doc/python3/copyright")
    (licences / "python").mkdir(parents=True)
    shutil.copy(of_python, licences / "python")
    parts = [{"type": "platform", "name": "Python", "version": platform.python_version()}]
    for name, version in _system_packages(program):
        purl = f"pkg:deb/debian/{name}@{version}"
        parts.append({"type": "library", "name": name, "version": version, "purl": purl})
        (licences / name).mkdir()
        shutil.copy(Path("/usr/share/doc", name, "copyright"), licences / name)
    contents = json.loads(SBOM.read_text("utf-8"))
    contents["components"] += parts
    (program / SBOM.name).write_text(json.dumps(contents, indent=2) + "\n", encoding="utf-8")


def _system_packages(program: Path) -> list[tuple[str, str]]:
    """Debian's packages, with versions, that libraries were taken from beside those of wheels."""
    if sys.platform != "linux":
        return []
    place = sysconfig.get_config_var("MULTIARCH")
    libraries = [f"*/{place}/{path.name}" for path in (program / "_internal").glob("lib*.so*")]
    found = subprocess.run(
        ["dpkg-query", "--search", *libraries], capture_output=True, text=True, check=False
    )  # it fails where one is of no package
    names = {line.partition(":")[0] for line in found.stdout.splitlines()}
    if not names:  # none would mean all
        return []
    shown = "${Package} ${Version}\n"
    listed = subprocess.run(
        ["dpkg-query", "--show", "--showformat", shown, *names],
        capture_output=True,
        text=True,
        check=True,
    )
    return [(name, version) for name, version in map(str.split, listed.stdout.splitlines())]


def _archive(program: Path, target: Path, version: str) -> Path:
    """The program folder for systems without .deb packages."""
    path = target / f"afterimage-{version}-linux-x86_64.tar.xz"
    plain = WORK / "archive.tar"
    with tarfile.open(plain, "w") as archive:
        archive.add(program, f"afterimage-{version}", filter=_of_nobody)
    with path.open("wb") as file:
        subprocess.run(["xz", "-3", "--threads=0", "--stdout", plain], stdout=file, check=True)
    return path


def _of_nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a program; what it prints is shown."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    surroundings = {name: value for name, value in os.environ.items() if name not in hidden}
    subprocess.run(command, check=True, cwd=cwd, env=surroundings)


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
