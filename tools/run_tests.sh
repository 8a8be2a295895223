#!/usr/bin/env bash
# Every test, in two shards side by side on two cores: what starts whole commands, and the rest. The shards were
# cut by their time. Prints both outputs, then one line with all counts; fails where either does.
#   run_tests.sh PYTHON [ARGUMENTS of pytest: then one run, of these alone]
set -uo pipefail
python=$1
shift
[ $# -eq 0 ] || exec "$python" -m pytest "$@"

commands=(tests/cli tests/lab tests/runtime)
commands+=($(ls tests/test_*.py))
rest=()
for folder in tests/*/; do
  folder=${folder%/}
  case " ${commands[*]} tests/programs tests/__pycache__ " in *" $folder "*) ;; *)
    if find "$folder" -name 'test_*.py' | grep -q .; then rest+=("$folder"); fi ;;
  esac
done

log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$python" -m pytest "${commands[@]}" >"$log" 2>&1 &
first=$!
"$python" -m pytest "${rest[@]}" 2>&1 | tee "$log.rest"
second=${PIPESTATUS[0]}
wait "$first"
first=$?
cat "$log"
count() { tail -n 1 -q "$log" "$log.rest" | grep -oE "[0-9]+ $1" | awk '{n += $1} END {print n + 0}'; }
passed=$(count passed) failed=$(count failed) errors=$(count error) skipped=$(count skipped)
rm -f "$log.rest"
echo "$passed passed, $((failed + errors)) failed, $skipped skipped"
[ "$first" -eq 0 ] && [ "$second" -eq 0 ]
