"""Ranges of ordered attributes that have words: "1970-1979" in the attribute's own units, "0%-20%" as ranks.

Both ends belong to a range in own units; of a rank range, the lower one.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import numpy as np

from talkwalk.schema import Attribute

RANGE = re.compile(r"^\s*(-?\d+(?:\.\d+)?)(%?)\s*-\s*(-?\d+(?:\.\d+)?)(%?)\s*$")


@dataclass(frozen=True, slots=True)
class Band:
    """A range of an ordered attribute, in its own units or in ranks (0..1)."""

    low: float
    high: float
    in_ranks: bool

    @classmethod
    @functools.cache  # the same few ranges, for every value of every pair
    def parse(cls, text: str) -> Band:
        match = RANGE.match(text)
        if match is None or bool(match[2]) != bool(match[4]):
            raise ValueError(f'range must look like "1970-1979" or "0%-20%", got {text!r}')
        scale = 100.0 if match[2] else 1.0
        low, high = float(match[1]) / scale, float(match[3]) / scale
        if low > high:
            raise ValueError(f"range must be increasing, got {text!r}")
        return cls(low, high, bool(match[2]))

    def holds(self, value: float, attribute: Attribute) -> bool:
        """Whether `value`, in the attribute's own units, lies in the range."""
        return self.holds_either(value, float(attribute.to_unit(np.array(value))) if self.in_ranks else 0.0)

    def holds_either(self, value: float, unit: float) -> bool:
        """The same, of a value given in its own units and on the attribute's [0, 1] scale."""
        if not self.in_ranks:
            return self.low <= value <= self.high
        return self.low <= unit < self.high or (self.high == 1.0 and unit == 1.0)

    def within(self, values: np.ndarray, attribute: Attribute) -> np.ndarray:
        """`holds` of many values (n,), NaN for none, which lies in no range; bool (n,)."""
        if not self.in_ranks:
            return (self.low <= values) & (values <= self.high)
        known = np.isfinite(values)
        units = np.where(known, attribute.to_unit(np.where(known, values, 0.0)), np.nan)
        return (self.low <= units) & ((units < self.high) | ((self.high == 1.0) & (units == 1.0)))

    def units(self, attribute: Attribute) -> tuple[float, float]:
        """Both ends on the attribute's [0, 1] scale."""
        if self.in_ranks:
            return self.low, self.high
        low, high = attribute.to_unit(np.array([self.low, self.high]))
        return float(low), float(high)
