"""JSON that another program wrote: whatever is wrong with it is one kind of error."""

from __future__ import annotations

import json
from typing import Any


def parsed(data: bytes | str) -> Any:
    """Its value; raises ValueError, also where it is nested deeper than can be read."""
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
