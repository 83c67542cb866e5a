"""A case: one investigation's evidence, lake, journal and settings, and the questions asked of them."""

from investigate.case.acquisition import Acquisition
from investigate.case.answer import Answer
from investigate.case.case import Case
from investigate.case.coverage import Coverage

__all__ = ["Acquisition", "Answer", "Case", "Coverage"]
