"""Masks: bit 0 is phase 1, eight to a byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.ntcip.states import masks_of, numbers_of

NUMBERS = st.frozensets(st.integers(1, 40))


@pytest.mark.parametrize(("numbers", "expected"), [((1,), [1, 0]), ((8,), [128, 0]), ((9,), [0, 1]), ((16,), [0, 128]), ((2, 6), [34, 0]), ((), [0, 0])])
def test_bit_order(numbers: tuple[int, ...], expected: list[int]) -> None:
    assert masks_of(numbers, 2) == expected


@given(NUMBERS)
def test_there_and_back(numbers: frozenset[int]) -> None:
    masks = masks_of(numbers, 5)
    assert numbers_of(masks) == numbers
    for p in range(1, 41):
        assert (masks[(p - 1) // 8] >> (p - 1) % 8 & 1) == (p in numbers)


@pytest.mark.parametrize("number", [0, -1, 17])
def test_a_number_that_fits_no_group_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="expected a number of 1 to 16"):
        masks_of((number,), 2)
