#!/bin/sh
# Builds the image `workload` on the host, from a static busybox: workload.sh BUSYBOX
set -eu
work=$(mktemp -d)
mkdir "$work/bin"
cp "$1" "$work/bin/busybox"
cat >"$work/Dockerfile" <<'END'
FROM scratch
COPY bin /bin
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /srv /tmp && echo built >/srv/built
CMD ["/bin/sleep", "1000"]
END
docker build --quiet --tag workload "$work"
rm -r "$work"
