#!/usr/bin/env bash
# Every test: two shards side by side on two cores, what starts whole commands and the rest, cut by their time; then
# the lab by itself, whose services and clients are judged by how quick they are. Prints all outputs, then one line with
# all counts; fails where one of them does.
#   run_tests.sh PYTHON [ARGUMENTS of pytest: then one run, of these alone]
set -uo pipefail
python=$1
shift
[ $# -eq 0 ] || exec "$python" -m pytest "$@"

commands=(tests/cli tests/report tests/model tests/rules tests/claims tests/metrics tests/stats tests/where tests/runtime)
commands+=($(ls tests/test_*.py))
rest=()
for folder in tests/*/; do
  folder=${folder%/}
  case " ${commands[*]} tests/lab tests/programs tests/__pycache__ " in *" $folder "*) ;; *)
    if find "$folder" -name 'test_*.py' | grep -q .; then rest+=("$folder"); fi ;;
  esac
done

log=$(mktemp)
trap 'rm -f "$log" "$log.rest" "$log.lab"' EXIT
"$python" -m pytest "${commands[@]}" >"$log" 2>&1 &
first=$!
"$python" -m pytest "${rest[@]}" 2>&1 | tee "$log.rest"
second=${PIPESTATUS[0]}
wait "$first"
first=$?
cat "$log"
"$python" -m pytest tests/lab 2>&1 | tee "$log.lab"
third=${PIPESTATUS[0]}
count() { tail -n 1 -q "$log" "$log.rest" "$log.lab" | grep -oE "[0-9]+ $1" | awk '{n += $1} END {print n + 0}'; }
passed=$(count passed) failed=$(count failed) errors=$(count error) skipped=$(count skipped)
echo "$passed passed, $((failed + errors)) failed, $skipped skipped"
[ "$first" -eq 0 ] && [ "$second" -eq 0 ] && [ "$third" -eq 0 ]
