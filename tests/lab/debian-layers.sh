#!/bin/sh
# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the layers of an image from Debian's packages: debian-layers.sh TARGET RELEASE MIRROR KEYRING SOURCES PACKAGE...
#
# TARGET/base becomes debootstrap's smallest system, TARGET/packages what the packages add to it. SOURCES are lines of
# sources.list(5) for these, KEYRING may be empty. Needs a mount namespace of its own. Nothing of this machine stays in there.
set -eu

target=$1
release=$2
mirror=$3
keyring=$4
sources=$5
shift 5
here=$(dirname -- "$0")

# Take out what is of this machine, of no use in an image, or would differ with each build.
clean() {
    (
        cd "$1"
        rm -rf dev/* tmp/* run/* var/cache/apt var/cache/ldconfig var/lib/apt/lists usr/share/man usr/share/info usr/share/locale
        rm -f etc/hostname etc/resolv.conf etc/machine-id etc/passwd- etc/group- etc/shadow- etc/gshadow- etc/.pwd.lock
        rm -f var/lib/dpkg/*-old var/cache/debconf/*-old var/lib/dbus/machine-id
        find var/log -type f -delete
        find usr/share/doc -depth ! -type d ! -name copyright -delete
        find usr/share/doc -depth -type d -empty -delete
        # What the overlay notes as removed: it stays in the layer below.
        find . -type c -delete
    )
}

debootstrap --variant=minbase ${keyring:+"--keyring=$keyring"} "$release" "$target/base" "$mirror"
clean "$target/base"
cat >"$target/base/etc/apt/sources.list" <<END
deb http://deb.debian.org/debian $release main
deb http://deb.debian.org/debian $release-updates main
deb http://security.debian.org/debian-security $release-security main
END

mkdir "$target/packages" "$target/.work" "$target/.root"
# Whole files and folders in the upper folder, whatever the kernel's defaults are.
mount -t overlay overlay "$target/.root" \
    -o "lowerdir=$target/base,upperdir=$target/packages,workdir=$target/.work,metacopy=off,redirect_dir=off,index=off"
/bin/sh "$here/add-packages.sh" "$target/.root" "$sources" "$@"
umount "$target/.root"
rm -rf "$target/.work" "$target/.root"
clean "$target/packages"
