#!/bin/sh
# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs packages into a base: add-packages.sh ROOT SOURCE PACKAGE...
#
# ROOT is the base's folder, SOURCE the line of sources.list(5) to take them from. Needs a mount namespace of its own.
# The machine's apt downloads, as it knows the way out (proxies, passwords), with lists and caches of its own in ROOT;
# ROOT's dpkg installs.
set -eu

root=$1
source=$2
shift 2

work=$root/.add-packages
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
echo "$source" >"$work/sources.list"
apt() {
    apt-get --quiet --assume-yes \
        -o APT::Sandbox::User=root -o Acquire::Languages=none \
        -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" \
        -o Dir::State::Status="$root/var/lib/dpkg/status" -o Dir::State::Extended_States="$work/extended_states" "$@"
}
apt update
apt --no-install-recommends --download-only install "$@"

# No service may start: in here it would run on the machine.
policy=$root/usr/sbin/policy-rc.d
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"
mount -t proc proc "$root/proc"
# shellcheck disable=SC2016 # $1 is for the shell in there
chroot "$root" /bin/sh -c 'dpkg --install "$1"/*.deb' sh "${work#"$root"}/cache/archives"
umount "$root/proc"
rm -r "$policy" "$work"
