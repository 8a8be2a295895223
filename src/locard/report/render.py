"""The report formats by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.report import document

if TYPE_CHECKING:
    import datetime as dt

    from locard.model.investigation import Investigation


def render(found: Investigation, form: str, exit_code: int, *, tz: dt.tzinfo | None = None) -> str:
    """The whole report as json, markdown or html."""
    if form == "json":
        return document.dumps(document.investigation_document(found, exit_code)) + "\n"
    if form == "markdown":
        from locard.report import markdown  # noqa: PLC0415 - only the one that is asked for

        return markdown.text(found, tz=tz)
    return html(found, tz=tz)


def html(found: Investigation, *, tz: dt.tzinfo | None = None) -> str:
    """The self-contained page."""
    from locard.report import page  # noqa: PLC0415 - only the one that is asked for

    return page.text(found, tz=tz)
