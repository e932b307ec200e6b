#!/usr/bin/env bash
# Builds the Collector that kansoku is measured against, from the Go module proxy, into FOLDER (by default target/collector):
#   benches/side_by_side/collector/build.sh [FOLDER]
# The Collector's own builder writes the main package; go.mod is written here from the same list. (The builder itself would run
# `go mod tidy`, which also wants what only the modules' tests import, and the proxy lacks some of that.)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../../../target/collector}
mkdir -p "$out"
out=$(cd "$out" && pwd)
export GOBIN=$out GOFLAGS=-trimpath CGO_ENABLED=0
[[ -x $out/builder ]] || go install go.opentelemetry.io/collector/cmd/builder@v0.160.0
cp "$here/builder.yaml" "$out/builder.yaml"
cd "$out"
rm -rf _build
./builder --config builder.yaml --skip-get-modules --skip-compilation --skip-strict-versioning
cd _build
go mod init collector
sed -nE 's/.*gomod: *"?([^ "]+) +(v[^ "]+).*/-require=\1@\2/p' ../builder.yaml | xargs go mod edit
# What the main package itself uses, which would otherwise be taken at its newest.
for core in otelcol connector service; do go mod edit -require="go.opentelemetry.io/collector/$core@v0.160.0"; done
GOFLAGS="-trimpath -mod=mod" go build -ldflags='-s -w' -o ../collector .
../collector --version
