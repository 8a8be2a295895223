#!/usr/bin/env bash
# Builds the reader with sanitizers and fuzzes it: run.sh [SECONDS], 60 by default.
# Needs clang for fuzzing; with g++ alone the corpus is replayed, as with SANITIZE=thread.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
compiler=${CXX:-$(command -v clang++ || command -v g++)}
sanitize=${SANITIZE:-address,undefined}
build=build/fuzz-$(basename "$compiler")-${sanitize%%,*}
cmake -S . -B "$build" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DLOCARD_PYTHON=OFF -DLOCARD_FUZZ=ON -DLOCARD_SANITIZE="$sanitize" >/dev/null
cmake --build "$build" -j2 >/dev/null
if [ "$sanitize" != thread ] && "$compiler" --version | grep -q clang; then
  mkdir -p "$build/found"
  exec "$build/fuzz_reader" -max_total_time="$seconds" -max_len=4096 -dict=native/fuzz/json.dict \
    -artifact_prefix="$build/found/" "$build/found" native/fuzz/corpus
fi
echo "the corpus is replayed, nothing new is tried" >&2
exec "$build/fuzz_reader" native/fuzz/corpus/*
