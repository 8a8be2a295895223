"""The contenders of `template_cost.py`, each in a process of its own: `bench/template_contenders.py NAME FOLDER`.

It loads that contender and little else: starting up is measured too. Prints how many groups were found.
"""

from __future__ import annotations

import os
import sys

MASKS = (
    ("[0-9a-f]{8}-[0-9a-f-]{27}", "<ID>"),
    (r"\d+\.\d+\.\d+\.\d+(:\d+)?", "<IP>"),
    (r"(/[\w.-]+)+", "<PATH>"),
    (r"0x[0-9a-fA-F]+|\b[0-9a-f]{12,}\b", "<HEX>"),
    (r"\d+(\.\d+)?", "<NUM>"),
)


def ours(folder: str) -> int:
    """The scanner, templates of the one field."""
    from locard._native import Scanner  # noqa: PLC0415 - a contender's process loads that contender and no other

    scanner = Scanner(most_fields=8, deepest=2, sample_chars=200, mines=True)
    with open(f"{folder}/said.json", "rb") as file:  # noqa: PTH123 - pathlib takes as long as 2 MB of log
        offset, end = 0, os.fstat(file.fileno()).st_size
        while offset < end:
            offset, _ = scanner.scan(file.fileno(), offset, end, 64 << 20, [])
            scanner.take()
    return len(scanner.templates())


def duckdb(folder: str) -> int:
    """Masks, one after the other, as a person would write them."""
    import duckdb as module  # noqa: PLC0415 - as above

    db = module.connect(config={"threads": 1})
    sql = "line"
    for pattern, name in MASKS:
        sql = f"regexp_replace({sql}, '{pattern}', '{name}', 'g')"
    source = f"read_csv('{folder}/said.txt', header = false, columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '', escape = '')"
    return len(db.execute(f"SELECT {sql} AS t, count(*) FROM {source} GROUP BY t").fetchall())


def drain3(folder: str) -> int:
    """Drain3 with its defaults."""
    from drain3 import TemplateMiner  # noqa: PLC0415 - as above

    miner = TemplateMiner()
    with open(f"{folder}/some.txt") as lines:  # noqa: PTH123 - as above
        for line in lines:
            miner.add_log_message(line.rstrip("\n"))
    return len(miner.drain.clusters)


def drain3_groups(path: str) -> str:
    """Drain3 with the masks of its own example: the group of each message of some logs, as JSON."""
    import json  # noqa: PLC0415 - as above
    import logging  # noqa: PLC0415 - as above

    from drain3 import TemplateMiner  # noqa: PLC0415 - as above
    from drain3.masking import MaskingInstruction  # noqa: PLC0415 - as above
    from drain3.template_miner_config import TemplateMinerConfig  # noqa: PLC0415 - as above

    logging.disable(logging.CRITICAL)
    config = TemplateMinerConfig()
    config.masking_instructions = [
        MaskingInstruction(f"((?<=[^A-Za-z0-9])|^)({pattern})((?=[^A-Za-z0-9])|$)", name)
        for pattern, name in (
            (r"([0-9a-f]{2,}:){3,}([0-9a-f]{2,})", "ID"),
            (r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}", "IP"),
            (r"0x[a-f0-9A-F]+", "HEX"),
            (r"[\-\+]?\d+", "NUM"),
        )
    ]
    with open(path) as file:  # noqa: PTH123 - as above
        logs = json.load(file)
    out = []
    for messages in logs:
        miner = TemplateMiner(config=config)
        out.append([miner.add_log_message(message)["cluster_id"] for message in messages])
    return json.dumps(out)


WORKERS = {"locard": ours, "duckdb": duckdb, "drain3": drain3, "drain3-groups": drain3_groups}

if __name__ == "__main__":
    print(WORKERS[sys.argv[1]](sys.argv[2]))
