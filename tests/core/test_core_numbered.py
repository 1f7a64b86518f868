"""Rounds by number."""

import pytest

from tunebook.core.numbered import is_number, numbered


@pytest.mark.parametrize(
    ("names", "number", "found"),
    [
        (["01-a", "02-b"], 2, ["02-b"]),
        (["02-b-exploit", "02-b", "02-b-again-1"], 2, ["02-b"]),
        (["02-b", "02-bold"], 2, ["02-b", "02-bold"]),
        (["2", "2-b"], 2, ["2"]),
        (["020-b", "12-c", "final-2"], 2, []),
    ],
)
def test_a_number_means_the_round_that_others_were_made_from(names, number, found):
    assert numbered(names, number) == found


@pytest.mark.parametrize(("word", "is_one"), [("2", True), ("02", True), ("02-b", False), ("-1", False), ("", False)])
def test_what_is_a_number(word, is_one):
    assert is_number(word) is is_one
