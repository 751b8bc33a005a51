#!/bin/sh
# Tries a package as a person would, in a bare Debian 12 that debootstrap makes; needs root.
#
#   packaging/try_package.sh PACKAGE.deb FOLDER_OF_WHEELS [OUTPUT]
#
# PACKAGE.deb comes from `make package`, FOLDER_OF_WHEELS from `packaging/lock_engine.py --keep`, for
# the processor. OUTPUT gets the pictures of the window. The address of Debian's mirror is that of
# this computer's own apt, or DEBIAN_MIRROR.
set -eu

package=$(realpath "$1") wheels=$(realpath "$2") output=$(realpath -m "${3:-build/try-package}")
codename=bookworm person=person display=:93

for program in debootstrap Xvfb xdotool import lintian desktop-file-validate appstreamcli; do
    command -v $program >/dev/null || missing="${missing:-} $program"
done
if [ -n "${missing:-}" ] || [ "$(id -u)" != 0 ]; then
    echo "This needs root, and these programs:${missing:- none more}."
    echo "sudo apt-get install debootstrap xvfb xdotool imagemagick lintian desktop-file-utils appstream"
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
    echo "$*"
    exit 1
}

open_window() { # NAME: start from the menu entry, wait for the window, take its picture, close it
    command=$(sed -n 's/^Exec=\(.*\) %f$/\1/p' "$root/usr/share/applications/afterimage.desktop")
    [ "$command" = afterimage ] || fail "The menu entry starts $command."
    begin=$(date +%s%N)
    as_person DISPLAY=$display "$command" &
    window=$!
    started="$started $window"
    timeout 60 xdotool search --sync --onlyvisible --name '^Afterimage' >/dev/null
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

step "The package by itself: $(basename "$package"), $(du -m "$package" | cut -f1) MB"
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
mount --bind "$wheels" "$root/wheels"
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

step "Opened from the menu, without an engine"
Xvfb $display -screen 0 1280x800x24 -nolisten tcp >/dev/null 2>&1 &
started="$started $!"
export DISPLAY=$display
while [ ! -e /tmp/.X11-unix/X${display#:} ]; do sleep 0.1; done
mount --bind /tmp/.X11-unix "$root/tmp/.X11-unix"
open_window first-window

step "The engine, from a folder of wheels"
as_person afterimage engine
as_person afterimage engine install --wheels /wheels
as_person afterimage engine status --json >"$output/engine.json"

step "Sample pictures: indexed, searched, checked"
as_person afterimage index /usr/lib/afterimage/_internal/app/resources/samples
find_cat
as_person afterimage verify

step "Opened from the menu, with pictures"
open_window pictures

step "Upgraded: the same program with a higher number"
newer=$root/root/newer
dpkg-deb --raw-extract "$package" "$newer"
sed -i 's/^Version: \(.*\)/Version: \1.1/' "$newer/DEBIAN/control"
dpkg-deb --build --root-owner-group -Znone "$newer" "$root/root/newer.deb" >/dev/null
rm -r "$newer"
inside apt-get -qq -y --no-install-recommends install /root/newer.deb >"$output/upgrade.log" 2>&1 ||
    fail "See $output/upgrade.log."
inside dpkg-query --show --showformat '${Package} ${Version} ${Status}\n' afterimage
as_person afterimage sessions
find_cat

step "Removed, and purged"
inside apt-get -qq -y remove afterimage | grep -A1 "is removed"
inside apt-get -qq -y purge afterimage >/dev/null
[ ! -e "$root/usr/lib/afterimage" ] || fail "Something is left of the program."
[ -s "$root/home/$person/.local/share/afterimage/ledger.sqlite3" ] || fail "The ledger is gone."
ls "$root/home/$person/.local/share/afterimage"
echo "The program is gone; what belongs to $person is still there."

echo
echo "ALL STEPS PASSED"
