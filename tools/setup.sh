#!/usr/bin/env bash
# Sets a fresh Debian machine up: packages where we are root, clear words where not, then the venv.
set -euo pipefail
python=$1 venv=$2

say() { printf 'setup: %s\n' "$*" >&2; }

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
  say "$python is missing or older than 3.11."
  say "Install it (apt-get install python3 python3-venv) or name another: make PYTHON=python3.12 ..."
  exit 1
}

wanted=()
# A compiler for the native module; jq, which tests compare answers with; openssl, whose certificates
# the lab's upstreams serve.
for tool in g++ jq openssl; do
  command -v "$tool" >/dev/null || wanted+=("$tool")
done
# Static, for the library that travels with eBPF programs.
for file in gelf.h:libelf-dev zlib.h:zlib1g-dev; do
  [ -e "/usr/include/${file%%:*}" ] || wanted+=("${file#*:}")
done
"$python" -c 'import ensurepip, venv' 2>/dev/null || wanted+=(python3-venv)
"$python" -c 'import sysconfig, os, sys; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
  wanted+=(python3-dev)
if [ ${#wanted[@]} -gt 0 ]; then
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    say "installing Debian packages: ${wanted[*]}"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${wanted[@]}" >/dev/null
  else
    say "not root, so these Debian packages are not installed: ${wanted[*]}"
    say "Ask for: sudo apt-get install ${wanted[*]}"
    say "Going on: without a compiler the logs are read by DuckDB, slower, and there is no eBPF."
  fi
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
say "installing locard and its tools into $venv"
"$venv/bin/python" -m pip install -q --disable-pip-version-check cmake ninja "nanobind>=2.9" "scikit-build-core>=0.11"
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-build-isolation -e '.[dev]'
# As an installed package is: where Python may not write, each command would compile all that it imports.
"$venv/bin/python" -m compileall -q src/locard
