#!/bin/sh
# Writes the demo's artifacts with the real mender-artifact (3.9.0 wrote those that are kept here).
set -eu
cd "$(dirname "$0")/artifacts"
payload="$(mktemp -d)"
trap 'rm -rf "$payload"' EXIT

write() { # name payload-type file text [more words for mender-artifact]
    name="$1" type="$2" file="$3" text="$4"
    shift 4
    printf '%s\n' "$text" > "$payload/$file"
    mender-artifact write module-image -o "$name.mender" -n "$name" -T "$type" -f "$payload/$file" "$@"
}

for version in 1.0 1.1 2.0; do
    write "kiosk-app-$version" demo-app index.html "<h1>Welcome, version $version</h1>" \
        -t kiosk -t localhost --software-name kiosk-app --software-version "$version"
done
for version in 2.3 2.4; do
    write "gateway-$version" demo-app routes.conf "generation = $version" \
        -t gateway --software-name gateway --software-version "$version"
done
write camera-7 demo-app lens.conf "exposure = auto" -t camera --software-name camera --software-version 7
write camera-8 demo-app lens.conf "exposure = night" -t camera --software-name camera --software-version 8 \
    -N camera-7
write opening-hours-2026 demo-note hours.txt "Open from 9 to 18" \
    -t kiosk -t gateway -t localhost -t simulated --software-name hours --software-version 2026
