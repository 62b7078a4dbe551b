#!/bin/sh
# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Says as YAML what matters of a host for the Docker Engine: observe.sh NAME DATA_ROOT. It changes nothing.
set -eu
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
name=$1
folder=$2

yes_or_no() {
    if "$@" >/dev/null 2>&1; then echo true; else echo false; fi
}
has_overlay() { grep -qw overlay /proc/filesystems || modprobe --dry-run --quiet overlay; }
has_cgroups() { grep -Eq '^[^ ]+ /sys/fs/cgroup[^ ]* cgroup2? ' /proc/mounts; }
echo "overlay: $(yes_or_no has_overlay)"
echo "cgroups: $(yes_or_no has_cgroups)"

while ! [ -d "$folder" ]; do folder=$(dirname -- "$folder"); done
echo "filesystem: $(stat --file-system --format=%T -- "$folder")"

# Units that an engine of a package has.
echo "units:"
for unit in docker.socket docker.service; do
    state() { systemctl show --property="$1" --value -- "$unit"; }
    [ "$(state LoadState)" = loaded ] || continue
    in_use=true
    case $(state ActiveState) in inactive | failed) [ "$(state UnitFileState)" = enabled ] || in_use=false ;; esac
    echo "  - {name: $unit, in_use: $in_use, file: \"$(state FragmentPath)\", active: $(state ActiveState), enabled: \"$(state UnitFileState)\"}"
done

# The unit or scope of the engine that runs, whatever it is.
engine=
if pid=$(cat /run/docker.pid 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
    engine=$(sed -n 's,^[^:]*:\(name=systemd\)\{0\,1\}:.*/\([^/]*\.\(service\|scope\)\).*,\2,p' "/proc/$pid/cgroup" | head -n 1)
    engine=${engine:-process $pid}
fi
echo "engine: \"$engine\""

# Drop-ins of others that would have the unit run something else.
echo "drop_ins:"
for file in /etc/systemd/system/"$name".service.d/*.conf /run/systemd/system/"$name".service.d/*.conf \
    /usr/lib/systemd/system/"$name".service.d/*.conf; do
    if [ -f "$file" ] && grep -Eq '^[[:space:]]*(ExecStart|Type)[[:space:]]*=' "$file"; then
        echo "  - \"$file\""
    fi
done

client=$(command -v docker || true)
[ -n "$client" ] || ! [ -L /usr/local/bin/docker ] || client=/usr/local/bin/docker
echo "client: \"$client\""
echo "client_link: \"$(readlink -- "$client" || true)\""
