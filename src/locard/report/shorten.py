"""Long texts made short without losing what they end with: the cause mostly stands last."""

from locard.model.wording import shorten

__all__ = ["shorten"]
