"""What is left out: by name, by place, by a person's pattern; and never a folder of a person."""

from __future__ import annotations

import pytest

from app.scan.exclusions import BY_PATTERN, HIDDEN, OF_PROGRAMS, Exclusions, is_leftover


@pytest.mark.parametrize(
    "path",
    [
        "2024/@eaDir",
        "2024/@EADIR",
        "2024/@__thumb",
        "share/#recycle",
        "share/@Recycle",
        "share/@Recently-Snapshot",
        "share/#snapshot",
        "share/~snapshot",
        "disk/$RECYCLE.BIN",
        "disk/RECYCLER",
        "disk/System Volume Information",
        "disk/lost+found",
        "disk/Network Trash Folder",
        "unpacked/__MACOSX",
        "M4ROOT/THMBNL",
        "data/appdata_ocfxq1y2x3z4",
        "ada/files_trashbin",
        "darktable/mipmaps-da39a3ee5e6b4b0d3255bfef95601890afd80709.d",
        "Pictures/Lightroom Catalog Previews.lrdata",
        "Pictures/Lightroom Catalog Smart Previews.lrdata",
        "CaptureOne/Cache",
        "Weddings.cocatalog/Cache",
        "Photos Library.photoslibrary/resources",
        "Photos Library.photoslibrary/Thumbnails",
        "iPhoto Library.photolibrary/Previews",
        "Old.migratedphotolibrary/Thumbnails",
        "Aperture Library.aplibrary/Previews",
        "iPhoto Library/Data.noindex",
    ],
)
def test_leftovers_of_programs_are_known(path: str) -> None:
    assert is_leftover(*path.split("/"))


@pytest.mark.parametrize(
    "path",
    [
        "2024/Recycle",
        "2024/Recycled",
        "2024/Recycle Bin",
        "2024/Cache",
        "2024/Thumbnails",
        "2024/Previews",
        "2024/Originals",
        "2024/Snapshot",
        "2024/eaDir",
        "2024/lost and found",
        "2024/Masters",
        "2024/lrdata",
        "Capture One/Outputs",
        "Photos Library.photoslibrary/originals",
        "Photos Library.photoslibrary/Masters",
        "Aperture Library.aplibrary/Masters",
        "Pictures/Photos Library.photoslibrary",
        "iPhoto Library/2005",
        "iPhoto Library/Modified",
    ],
)
def test_folders_that_hold_a_persons_pictures_are_kept(path: str) -> None:
    assert not is_leftover(*path.split("/"))


def test_a_folder_has_one_reason() -> None:
    exclusions = Exclusions("/root", ["Exports", "2023/raw"])
    assert exclusions.of_folder("/root", ".Trash-1000") == HIDDEN
    assert exclusions.of_folder("/root/a", "@eaDir") == OF_PROGRAMS
    assert exclusions.of_folder("/root/a", "exports") == BY_PATTERN
    assert exclusions.of_folder("/root/2023", "raw") == BY_PATTERN
    assert exclusions.of_folder("/root/2024", "raw") is None


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/root/a/b.jpg", None),
        ("/root/a/.b.jpg", HIDDEN),
        ("/root/.a/b.jpg", HIDDEN),
        ("/root/a/@eaDir/b.jpg/T.jpg", OF_PROGRAMS),
        ("/root/Photos.photoslibrary/resources/derivatives/b.jpg", OF_PROGRAMS),
        ("/root/Photos.photoslibrary/originals/0/b.jpg", None),
        ("/root/Photos.photoslibrary/b.jpg", None),
        ("/root/a/b.png", BY_PATTERN),
        ("/root/Exports/deep/b.jpg", BY_PATTERN),
        ("/root/Exports.jpg", None),
    ],
)
def test_a_path_is_judged_as_the_walk_would(path: str, reason: str | None) -> None:
    assert Exclusions("/root", ["*.png", "Exports/"]).of_path(path, "/root") == reason


def test_where_a_walk_begins_counts_for_patterns_only() -> None:
    begin = "/nas/#recycle/Old"
    assert Exclusions("/nas").of_path(f"{begin}/a.jpg", begin) is None
    assert Exclusions("/nas", ["Old"]).of_path(f"{begin}/a.jpg", begin) == BY_PATTERN
    library = "/ada/Photos.photoslibrary"
    inside = f"{library}/resources/a.jpg"
    assert Exclusions(library).of_path(inside, library) == OF_PROGRAMS


def test_a_folder_that_came_is_judged_by_its_own_name() -> None:
    assert Exclusions("/root").of_path("/root/a/@eaDir", "/root", folder=True) == OF_PROGRAMS
    assert Exclusions("/root").of_path("/root/a", "/root", folder=True) is None


def test_the_whole_disk_can_be_a_root() -> None:
    exclusions = Exclusions("/", ["/home/ada/Exports"])
    assert exclusions.of_path("/home/ada/Exports/a.jpg", "/") == BY_PATTERN
    assert exclusions.of_path("/home/ada/a.jpg", "/") is None
