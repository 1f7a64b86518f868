"""Places of keys: known documents by hand, and agreement with tomllib on what keys there are."""

import tomllib

import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from tunebook.plan.locate import place_of, positions

DOCUMENT = '''\
# a comment with [brackets] and = signs
title = "a ] string = with # signs"

[table]
  "quoted key" = 1
a.b.'c d' = { x = 1, y = { z = [1, 2] } }
text = """
[not.a.table]
x = 1 \\"""
"""
raw = \'\'\'
y = 2\'\'\'
list = [ # numbers
  1,
  { k = "," },
  [ 2, 3 ],
]

[table.below]  # more
x = 1979-05-27T07:32:00Z

[[rows]]
a = 1
[rows.inner]
b = 2
[[rows]]
a = 3
"\\u00e9" = -1.5e3
'''

EXPECTED = {
    (): (1, 1),
    ("title",): (2, 1),
    ("table",): (4, 1),
    ("table", "quoted key"): (5, 3),
    ("table", "a"): (6, 1),
    ("table", "a", "b", "c d"): (6, 1),
    ("table", "a", "b", "c d", "x"): (6, 15),
    ("table", "a", "b", "c d", "y", "z"): (6, 28),
    ("table", "a", "b", "c d", "y", "z", "2"): (6, 36),
    ("table", "text"): (7, 1),
    ("table", "raw"): (11, 1),
    ("table", "list"): (13, 1),
    ("table", "list", "1"): (14, 3),
    ("table", "list", "2", "k"): (15, 5),
    ("table", "list", "3", "2"): (16, 8),
    ("table", "below"): (19, 1),
    ("table", "below", "x"): (20, 1),
    ("rows",): (22, 1),
    ("rows", "1"): (22, 1),
    ("rows", "1", "a"): (23, 1),
    ("rows", "1", "inner"): (24, 1),
    ("rows", "1", "inner", "b"): (25, 1),
    ("rows", "2"): (26, 1),
    ("rows", "2", "a"): (27, 1),
    ("rows", "2", "é"): (28, 1),
}


def test_every_key_of_a_document_has_its_place():
    tomllib.loads(DOCUMENT)
    found = positions(DOCUMENT)
    assert {key: found.get(key) for key in EXPECTED} == EXPECTED
    assert ("table", "x") not in found


def test_a_missing_key_has_the_place_of_the_table_around_it():
    found = positions(DOCUMENT)
    assert place_of(found, ("table", "below", "no")) == (19, 1)
    assert place_of(found, ("rows", "2", "inner", "no")) == (26, 1)
    assert place_of(found, ("no", "where")) == (1, 1)


def paths(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value, 1) if isinstance(value, list) else ()
    for key, below in items:
        yield from paths(below, (*path, str(key)))


keys = st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1, max_size=5)
leaves = st.one_of(st.integers(), st.booleans(), st.text(st.characters(codec="utf-8"), max_size=9), st.floats(0, 9))
trees = st.dictionaries(
    keys,
    st.recursive(
        leaves, lambda t: st.one_of(st.lists(t, max_size=3), st.dictionaries(keys, t, max_size=3)), max_leaves=8
    ),
    max_size=4,
)


@given(trees)
def test_the_places_name_exactly_the_keys_that_tomllib_reads(tree):
    text = tomlkit.dumps(tree)
    assert set(positions(text)) == set(paths(tomllib.loads(text)))
