#!/bin/sh
# Tries a package as a person would, in a bare Debian 12 that debootstrap makes; needs root.
#
#   packaging/try_package.sh PACKAGE.deb [FOLDER_OF_WHEELS]
#   packaging/try_package.sh --missing
#
# PACKAGE.deb comes from `make package`. FOLDER_OF_WHEELS, from `packaging/lock_engine.py --keep` for
# the processor, has the engine where there is no network. `--missing` prints the packages of Debian
# that this needs and that are not here. Pictures of the window go to build/try-package. The address
# of Debian's mirror is that of this computer's own apt, or DEBIAN_MIRROR.
set -eu

needed="debootstrap xvfb xdotool imagemagick lintian desktop-file-utils appstream"
missing=$(for name in $needed; do
    dpkg-query --show --showformat '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed ||
        printf '%s ' "$name"
done)
if [ "$1" = --missing ]; then
    echo "$missing"
    exit
fi
source=$(realpath "$(dirname "$0")/..")
python=$source/.venv/bin/python output=$source/build/try-package
package=$(realpath "$1") wheels=${2:+$(realpath "$2")}
codename=bookworm person=person display=:93
ROUNDS=5    # of first windows; odd
OLDER=0005  # a revision of the ledger, by migrations/versions

if [ -n "$missing" ] || [ "$(id -u)" != 0 ] || [ ! -x "$python" ]; then
    echo "This needs root, .venv (make check), and these packages: ${missing:-none more}"
    exit 1
fi
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --no-release-info \
    --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Identifier: Packages' |
    awk -v name=$codename '$1 == name && $2 == "main" {print $3; exit}')}

mkdir -p "$output"
umask 022
root=$(mktemp -d "${TMPDIR:-/var/tmp}/try-package.XXXXXX")
chmod 755 "$root" # a normal user works in it
started=
finish() {
    code=$?
    for process in $started; do kill "$process" 2>/dev/null || :; done
    wait
    umount -R "$root/wheels" "$root/tmp/.X11-unix" "$root/dev" "$root/proc" 2>/dev/null || :
    # nothing of another file system is ever removed
    mountpoint -q "$root/dev" || rm -rf --one-file-system "$root"
    [ $code = 0 ] || echo "FAILED"
}
trap finish EXIT
trap 'exit 130' INT TERM

number=0
step() {
    number=$((number + 1))
    echo
    echo "== $number. $*"
}
inside() { # as the administrator
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
        LC_ALL=C.UTF-8 "$@"
}
as_person() {
    chroot --userspec=$person "$root" env -i PATH=/usr/bin:/bin HOME=/home/$person USER=$person \
        LANG=C.UTF-8 "$@"
}
fail() {
    echo "$*" >&2
    exit 1
}

wait_for_window() {
    for _ in $(seq 2000); do
        ! xdotool search --onlyvisible --name '^Afterimage' >/dev/null 2>&1 || return 0
        sleep 0.02
    done
    fail "No window came."
}

first_window() { # FOLDER COMMAND...: milliseconds to the window, with its data in this folder
    folder=$1
    shift
    begin=$(date +%s%N)
    env -i PATH=/usr/bin:/bin HOME="$folder" LANG=C.UTF-8 DISPLAY=$display \
        AFTERIMAGE_DATA_DIR="$folder/data" "$@" >/dev/null 2>&1 &
    window=$!
    wait_for_window
    echo $((($(date +%s%N) - begin) / 1000000))
    sleep 2 # until it can end in order
    kill -TERM $window
    wait $window || : # how it ends is looked at elsewhere
}

median() { # of an odd number of lines
    sort -n | awk '{line[NR] = $1} END {print line[(NR + 1) / 2]}'
}

open_window() { # NAME: start from the menu entry, wait for the window, take its picture, close it
    command=$(sed -n 's/^Exec=\(.*\) %f$/\1/p' "$root/usr/share/applications/afterimage.desktop")
    [ "$command" = afterimage ] || fail "The menu entry starts $command."
    begin=$(date +%s%N)
    as_person DISPLAY=$display "$command" &
    window=$!
    started="$started $window"
    wait_for_window
    echo "First window after $((($(date +%s%N) - begin) / 1000000)) ms."
    sleep 8 # for the pages that are built after the first paint
    import -display $display -window root "$output/$1.png"
    colours=$(identify -format '%k' "$output/$1.png")
    [ "$colours" -gt 50 ] || fail "The window is not painted: $colours colours."
    echo "Painted: $output/$1.png, $colours colours."
    kill -TERM "$(pgrep -P $window || echo $window)"
    wait $window
    echo "Closed."
    left=$(pgrep -u "$(id_of_person)" -l . || :)
    [ -z "$left" ] || fail "Still running: $left"
}
id_of_person() { sed -n "s/^$person:x:\([0-9]*\):.*/\1/p" "$root/etc/passwd"; }

find_cat() {
    found=$(as_person afterimage search "a cat" --top 1)
    echo "$found"
    case $found in *cat.jpg*) ;; *) fail "The cat was not found." ;; esac
}

step "The package by itself: $(basename "$package"), $(($(stat --format %s "$package") / 1000000)) MB"
lintian --tag-display-limit 0 "$package" 2>/dev/null | grep -E '^E:' && fail "lintian found errors." || echo "lintian: no errors."
dpkg-deb --info "$package" | sed -n '/^ Package/,/^ Description/p'

step "A bare Debian: debootstrap of $codename"
debootstrap --variant=minbase $codename "$root" "$mirror" >"$output/debootstrap.log" ||
    fail "See $output/debootstrap.log."
cp /etc/resolv.conf /etc/hosts "$root/etc/"
cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/" 2>/dev/null || :
mount --bind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mkdir -p "$root/tmp/.X11-unix" "$root/wheels"
[ -z "$wheels" ] || mount --bind "$wheels" "$root/wheels"
for name in python3 qmake; do
    inside sh -c "command -v $name" && fail "$name is there before."
done
inside useradd --create-home $person
echo "No Python and no Qt; a normal user, $person."

step "apt install ./$(basename "$package")"
cp "$package" "$root/root/afterimage.deb"
inside apt-get -qq update
inside apt-get -qq -y --no-install-recommends install /root/afterimage.deb >"$output/install.log" 2>&1 ||
    fail "See $output/install.log."
inside dpkg-query --show --showformat '${Package} ${Version} ${Status}\n' afterimage
desktop-file-validate "$root/usr/share/applications/afterimage.desktop"
appstreamcli validate --no-net "$root/usr/share/metainfo/afterimage.metainfo.xml" |
    grep -E '^E:' && fail "The AppStream metadata are wrong." || echo "Menu entry and metadata are valid."
as_person afterimage --version
program=$root/usr/lib/afterimage
[ -s "$program/LICENSE" ] && [ -d "$program/licences/python" ] || fail "Licences are missing."
parts=$("$python" -c 'import json, sys; print(len(json.load(sys.stdin)["components"]))' <"$program/sbom.cdx.json")
echo "Inside: $parts parts in the list of contents, licences of $(ls "$program/licences" | wc -l)."

step "Opened from the menu, without an engine"
# without -noreset it begins anew whenever nobody is connected, and turns away who comes then
Xvfb $display -screen 0 1280x800x24 -nolisten tcp -noreset >/dev/null 2>&1 &
started="$started $!"
export DISPLAY=$display
while [ ! -e /tmp/.X11-unix/X${display#:} ]; do sleep 0.1; done
mount --bind /tmp/.X11-unix "$root/tmp/.X11-unix"
open_window first-window

step "First window, packaged and from the source folder"
times=$root/root/times
mkdir -p "$times/packaged" "$times/source"
cd "$source"
for round in $(seq 0 $ROUNDS); do
    for kind in packaged source; do
        case $kind in
            packaged) set -- "$program/afterimage" ;;
            source) set -- "$python" -m app ;;
        esac
        took=$(first_window "$times/$kind" "$@")
        [ "$round" = 0 ] || echo "$took" >>"$times/$kind.ms" # the first makes the data folder
    done
done
packaged=$(median <"$times/packaged.ms") from_source=$(median <"$times/source.ms")
for kind in packaged source; do echo "$kind: $(tr '\n' ' ' <"$times/$kind.ms")ms"; done
echo "Medians of $ROUNDS: $packaged ms packaged, $from_source ms from the source folder."
[ $((packaged * 2)) -le $((from_source * 3)) ] || fail "That is more than 1.5 times as long."

step "The engine, from ${wheels:-the network}"
as_person afterimage engine
as_person afterimage engine install ${wheels:+--wheels /wheels}
as_person afterimage engine status --json >"$output/engine.json"

step "Sample pictures: indexed, searched, checked"
as_person afterimage index /usr/lib/afterimage/_internal/app/resources/samples
find_cat
as_person afterimage verify

step "Opened from the menu, with pictures"
open_window pictures

step "Upgraded: the same program with a higher number, over a ledger of revision $OLDER"
data=$root/home/$person/.local/share/afterimage
(cd "$source" && AFTERIMAGE_DATA_DIR="$data" "$python" -m alembic downgrade $OLDER)
chown -R --reference="$root/home/$person" "$data"
version=$(dpkg-deb --field "$package" Version)
newer=$root/root/newer
dpkg-deb --raw-extract "$package" "$newer"
find "$newer/DEBIAN/control" "$newer"/usr/lib/afterimage/_internal/afterimage*-info -type f \
    -exec sed -i "s/^Version: .*/Version: $version.1/" {} +
sed -i "0,/^## \[/s//## [$version.1] - $(date +%F)\n\nTries an upgrade.\n\n## [$version]\n\n## [/" \
    "$newer/usr/lib/afterimage/_internal/app/CHANGELOG.md"
dpkg-deb --build --root-owner-group -Znone "$newer" "$root/root/newer.deb" >/dev/null
rm -r "$newer"
inside apt-get -qq -y --no-install-recommends install /root/newer.deb >"$output/upgrade.log" 2>&1 ||
    fail "See $output/upgrade.log."
inside dpkg-query --show --showformat '${Package} ${Version} ${Status}\n' afterimage
news="Afterimage was updated to $version.1: Tries an upgrade."
as_person afterimage sessions 2>&1 | tee "$output/first-start.txt"
grep -qF "$news" "$output/first-start.txt" || fail "The command line does not say what changed."
as_person afterimage sessions 2>&1 | grep -F "$news" && fail "It says so twice." || echo "Said once."
[ -s "$data/backups/ledger-$OLDER.sqlite3" ] || fail "There is no copy of the older ledger."
echo "Migrated, with a backup: $(ls "$data/backups")"
find_cat
as_person afterimage verify
open_window upgraded
grep -q "\"window\": \"$version.1\"" "$data/last-run.json" || fail "The window says nothing."

step "Removed, and purged"
inside apt-get -qq -y remove afterimage | grep -A1 "is removed"
inside apt-get -qq -y purge afterimage >/dev/null
[ ! -e "$root/usr/lib/afterimage" ] || fail "Something is left of the program."
[ -s "$data/ledger.sqlite3" ] || fail "The ledger is gone."
ls "$data"
echo "The program is gone; what belongs to $person is still there."

echo
echo "ALL STEPS PASSED"
