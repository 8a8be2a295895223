#!/usr/bin/env bash
# The clang that the eBPF objects are compiled with (tools/bpf.sh says which): for `make check` and `make bpf`.
set -euo pipefail

say() { printf 'setup: %s\n' "$*" >&2; }

command -v clang-19 >/dev/null && command -v llvm-strip-19 >/dev/null && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  say "installing Debian packages: clang-19 llvm-19"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends clang-19 llvm-19 >/dev/null
else
  say "not root: ask for sudo apt-get install clang-19 llvm-19"
  exit 1
fi
