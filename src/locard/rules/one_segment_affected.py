"""One group of users is hit and the others are not: a segment, a region, a tenant or a mix.

Pattern: the bad requests since the onset carry one value (or one combination) of a field that says
  who the user is or where the request comes from, far beyond its share of the traffic.
Evidence: the log's correlates single out the combination, corrected for the number of tests; the
  blast radius of its field confirms other values as unaffected.
Against: it explains little of the excess; no other value of the field is confirmed unaffected.
Next: the lines of that group alone, and what is special about it: flags, data, routing, quota.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.rules import _groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_ROLES = {"segment", "region"}
_USER_FIELD = re.compile(
    r"(^|[._-])(segment|tier|plan|tenant|customer|account|cohort|region|zone|country|market|locale"
    r"|device|platform|browser|channel|brand)([._-]|$)",
    re.IGNORECASE,
)


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the user group that explains most of the excess, for each log."""
    yield from _groups.singled_out(case, "one-segment-affected", _ROLES, _USER_FIELD.search)
