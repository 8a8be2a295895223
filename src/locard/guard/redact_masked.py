"""Tokens of providers whose varying parts a template has masked: `sk_live_#`, `sk-ant-api#-<*>`.

A template of log lines has `#` for digits and `<*>` for a word that varies. What is left of a token is
no secret that could be told from others, so it gets one mark, `<token>`, and no pseudonym.
"""

from __future__ import annotations

import re

MARK = "<token>"
_SIGN = r"(?:#|<\*>|…)"
_REST = rf"(?:[\w.+/=-]|{_SIGN})"
# Prefixes that nothing but a token has: one masked sign behind them is enough.
_SURE = (
    r"gh[opusr]_|github_pat_|gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent)-|glsa_|xox[abeoprs]-|xapp-"
    r"|(?:sk|rk)_(?:live|test)_|whsec_|sk-(?:ant|proj|or|svcacct)-|pypi-|do[opr]_v#_|dckr_(?:pat|oat)_"
    r"|shp(?:at|ca|pa|ss)_|NRAK-|lin_api_|AGE-SECRET-KEY-#|ATATT#|ATCTT#|sq#(?:atp|csp|idp)-|figd_"
    r"|PMAK-|rubygems_|tskey-|pscale_(?:tkn|pw|oauth)_|EAACEdEose#cBA|sntrys_|GOCSPX-|(?:AKIA|ASIA|ABIA|ACCA)"
    r"|AIza|eyJ"
)
# The same, where they begin a word: behind a hyphen they are a region or a language (`ap-sg.1`).
_BEGINNING = r"SG\.|ya#\.|hv[sbr]\."
# Those that begin other words too: what is left has to be long.
_SHORT = r"sk-|npm_|key-|hf_|r#_|SK|dapi|sbp_|phx_|sl\."
_MASKED = re.compile(
    rf"(?<![A-Za-z0-9])(?:(?:{_SURE}){_REST}{{1,512}}+|(?<![_-])(?:(?:{_BEGINNING}){_REST}{{1,512}}+"
    rf"|(?:{_SHORT}){_REST}{{16,512}}+|#:AA{_REST}{{8,64}}+))"
)
_MASKS = re.compile(_SIGN)


def masked_tokens(text: str) -> tuple[str, int]:
    """The text with `<token>` in place of each token that is partly masked, and how many there were."""
    if "#" not in text and "<*>" not in text and "…" not in text:
        return text, 0
    count = 0

    def mark(found: re.Match[str]) -> str:
        nonlocal count
        is_masked = _MASKS.search(found[0]) is not None
        count += is_masked
        return MARK if is_masked else found[0]

    return _MASKED.sub(mark, text), count
