"""What a package tells a system about the program is true."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import urlsplit

import debian
import pytest
from desktop_entry import OPENS, menu_entry
from distributions import project
from make_package import _system_packages

from app.cli.commands import _parser
from app.engine.lock import shipped_lock

ROOT = Path(__file__).parents[3]
LINUX = ROOT / "packaging" / "linux"


def test_the_man_page_has_every_command() -> None:
    page = (LINUX / "afterimage.1").read_text("utf-8")
    commands = next(action for action in _parser()._actions if action.dest == "command").choices
    assert commands
    described = page.partition(".SH COMMANDS")[2].partition(".SH EXIT")[0]
    assert [name for name in commands if not re.search(rf"\b{name}\b", described)] == []


def test_the_metadata_name_the_version_and_the_menu_entry() -> None:
    text = debian._metainfo("1.2.3").decode()
    component = ElementTree.fromstring(text)
    release = component.find("releases/release")
    assert release is not None
    assert release.get("version") == "1.2.3"
    assert component.findtext("launchable") == "afterimage.desktop"
    assert "@" not in text


def test_the_menu_entry_opens_folders_and_pictures() -> None:
    entry = menu_entry(["afterimage"]).decode()
    assert "\nExec=afterimage %f\n" in entry
    assert f"\nMimeType={';'.join(OPENS)};\n" in entry
    assert {"inode/directory", "image/jpeg"} <= set(OPENS)


def test_the_package_depends_on_what_a_window_needs(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(10_240))
    control = debian._control(tmp_path, str(project()["version"]))
    assert "\nInstalled-Size: 10\n" in control
    assert "libxcb-cursor0" in control
    assert not re.search(r"python|qt", control.partition("Depends:")[2].partition("\n")[0], re.I)


@pytest.mark.parametrize("script", ["postrm"])
def test_no_script_of_the_package_touches_a_home_folder(script: str) -> None:
    text = (LINUX / script).read_text("utf-8")
    assert not re.search(r"\b(rm|mv|find|chown)\b", text)


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="no Debian")
def test_libraries_of_the_system_are_listed_by_their_packages(tmp_path: Path) -> None:
    folder = tmp_path / "_internal"
    folder.mkdir()
    assert _system_packages(tmp_path) == []
    for name in ("libc.so.6", "libof-a-wheel.so.1"):
        (folder / name).touch()
    ((package, version),) = _system_packages(tmp_path)
    assert package == "libc6"
    assert version[0].isdigit()


def test_addresses_of_package_indexes_stand_in_the_list_of_the_engine_only() -> None:
    hosts = {urlsplit(address).hostname or "" for address in shipped_lock().indexes.values()}
    assert hosts
    assert "" not in hosts
    texts = [
        path
        for folder in ("app", "docs", "migrations", "packaging", "resources", "tests")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ".sh", ".json", ".spec", ".txt", ".yaml", ".toml"}
    ]
    naming = [p for p in [*texts, *ROOT.glob("*.*")] if p.is_file() and _names(p, hosts)]
    assert naming == [ROOT / "resources" / "engine.json"]


def _names(path: Path, hosts: set[str]) -> bool:
    text = path.read_text("utf-8", errors="replace")
    return any(host in text for host in hosts)
