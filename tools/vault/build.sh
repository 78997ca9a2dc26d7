#!/usr/bin/env bash
# Builds the development Vault once, into a cache outside the tree, and links
# the result as bin/sceau-vault. The cache is keyed by the sources, go.sum and
# the Go version: minutes for the first build, nothing afterwards.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
root=$(cd ../.. && pwd)
key=$( { go env GOVERSION GOARCH; cat ./*.go go.mod go.sum; } | sha256sum | cut -c 1-16)
cache=${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/sceau
binary=$cache/vault-$key

mkdir -p "$cache" "$root/bin"
if [ ! -x "$binary" ]; then
	# One builder at a time; a second one finds the work done.
	exec 9>"$cache/vault.lock"
	flock 9
fi
if [ ! -x "$binary" ]; then
	echo "building the development Vault, once (about 5 minutes on two cores) ..."
	started=$SECONDS
	unfinished=$binary.unfinished.$$
	log=$binary.log
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w' -o "$unfinished" . >"$log" 2>&1 9>&- &
	build=$!
	trap 'kill "$build" 2>/dev/null || true; rm -f "$unfinished"' EXIT
	while kill -0 "$build" 2>/dev/null; do
		sleep 1
		spent=$((SECONDS - started))
		if [ $((spent % 20)) -eq 0 ]; then
			echo "  ... ${spent} s, still compiling"
		fi
	done
	if ! wait "$build"; then
		cat "$log" >&2
		echo "the development Vault does not build" >&2
		exit 1
	fi
	trap - EXIT
	mv "$unfinished" "$binary"
	rm -f "$log"
	echo "built the development Vault in $((SECONDS - started)) s"
fi
# Builds that no clone has used for a month go.
touch -c "$binary"
find "$cache" -maxdepth 1 -name 'vault-*' -mtime +30 -delete
ln -sfn "$binary" "$root/bin/sceau-vault"
