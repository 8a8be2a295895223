#!/usr/bin/env bash
# Compiles the eBPF programs with the recorded clang: bpf.sh [--check] [NAME…]. The objects are committed.
#   --check: compile anew and compare; fails where an object differs from its source.
set -euo pipefail
cd "$(dirname "$0")/.."
CLANG=${CLANG:-clang-19}
RECORDED="19.1.7"
folder=src/locard/kernel/programs
check=; [ "${1:-}" = --check ] && { check=1; shift; }

say() { printf 'bpf: %s\n' "$*" >&2; }
command -v "$CLANG" >/dev/null || { say "$CLANG is not installed: apt-get install clang-19 llvm-19"; exit 1; }
version=$("$CLANG" -dumpversion)
[ "$version" = "$RECORDED" ] || { say "the objects are built by clang $RECORDED, this one is $version"; exit 1; }

work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
ln -s "$PWD/native/third_party/libbpf/src" "$work/bpf"
names=("$@"); [ ${#names[@]} -gt 0 ] || names=($(cd $folder && ls *.bpf.c | sed 's/\.bpf\.c$//'))
status=0
for name in "${names[@]}"; do
  for arch in x86_64:x86 aarch64:arm64; do
    into=$folder/objects/${arch%%:*}/$name.o
    out=$into; [ -z "$check" ] || out=$work/$name.o
    # Types (BTF) stay, DWARF goes; no path of this machine gets in.
    (cd $folder && "$CLANG" -target bpf -mcpu=v3 -g -O2 -Wall -Wextra -Werror -Wno-unused-parameter \
      -Wno-missing-declarations -Wno-address-of-packed-member \
      -D__TARGET_ARCH_${arch##*:} -I"$work" -I"$OLDPWD/native/third_party/libbpf/include/uapi" \
      -idirafter /usr/include/x86_64-linux-gnu \
      -ffile-prefix-map="$work"=. -ffile-prefix-map="$OLDPWD"=. -c "$name.bpf.c" -o "$work/built.o")
    llvm-strip-19 -g "$work/built.o" -o "$out"
    if [ -n "$check" ] && ! cmp -s "$out" "$into"; then
      say "$into is not what its source compiles to: run tools/bpf.sh $name"
      status=1
    fi
  done
done
exit $status
