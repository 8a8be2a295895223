"""The functions of one process that an expression takes, a JSON a line; Python 3.6, standard library only.

Stands behind `far/symbols.py` and `_functions_far.py`. Arguments: the expression, "functions", a pid.
"""

import json
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.kernel._functions_far import Functions


def main(argv: "list[str]") -> int:
    """Exit 0 always: who finds nothing prints nothing."""
    found = Functions(argv[1])
    found.look([int(argv[3])])
    for function in found.every:
        row = {"name": function.name, "file": function.path}
        sys.stdout.write(json.dumps(row, separators=(",", ":")) + "\n")
    sys.stdout.write(json.dumps({"found": len(found.every)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
