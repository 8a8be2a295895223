#!/usr/bin/env bash
# What tests need beside setup.sh: an sshd, servers of metrics, other shells, a container engine, the tools that locard
# can start in its own place. Where we may not install them those tests are skipped and say why.
set -euo pipefail

say() { printf 'setup: %s\n' "$*" >&2; }
has() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null; }

wanted=()
# Nothing is installed that would start a service on somebody's machine.
if [ ! -d /run/systemd/system ]; then
  for pair in sshd:openssh-server prometheus:prometheus victoria-metrics:victoria-metrics; do
    has "${pair%%:*}" || wanted+=("${pair#*:}")
  done
fi
for pair in ssh:openssh-client ip:iproute2 fish:fish tcsh:tcsh zsh:zsh ksh:ksh mksh:mksh busybox:busybox-static sudo:sudo podman:podman runc:runc strace:strace ltrace:ltrace bpftrace:bpftrace; do
  has "${pair%%:*}" || wanted+=("${pair#*:}")
done
[ ${#wanted[@]} -gt 0 ] || exit 0
if [ "$(id -u)" -eq 0 ] && has apt-get; then
  say "installing Debian packages for the tests: ${wanted[*]}"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null ||
    say "they could not be installed; those tests are skipped"
else
  say "some tests are skipped without: ${wanted[*]}"
fi
