#!/bin/sh
# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The first process of a host, in its own network and mount namespaces: sets up both, then runs "$@".
#
# Everything is made only after the line "go" arrives on standard input, so that a lab command that was
# killed leaves nothing behind: the pipe closes and this script ends. Mounts and the network live in the
# namespaces and vanish together with the last process.
#
# Environment: LAB_LOWER, LAB_UPPER, LAB_WORK, LAB_ROOT (the overlay's folders), LAB_ADDRESS (10.1.2.3/24).
set -eu

word=
read -r word || true
if [ "$word" != go ]; then
    echo "boot.sh: the lab command ended before this host was set up" >&2
    exit 1
fi

ip -batch - <<END
link set lo up
addr add $LAB_ADDRESS dev host0
link set host0 up
END
mount -t overlay overlay -o "lowerdir=$LAB_LOWER,upperdir=$LAB_UPPER,workdir=$LAB_WORK" "$LAB_ROOT"
# systemd-nspawn keeps files of its own below /run: they, too, are to vanish with this namespace.
mount -t tmpfs -o mode=755 tmpfs /run

# With --keep-unit, systemd-nspawn leaves it to its caller to boot again after a reboot: exit code 133.
code=133
while [ "$code" -eq 133 ]; do
    code=0
    "$@" </dev/null || code=$?
done
echo "boot.sh: systemd-nspawn ended with exit code $code" >&2
exit "$code"
