"""The next round as a design file: a comment behind each change names the finding it comes from (D5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import tomlkit
from tomlkit.items import Item

from tunebook.core.next_round import Change, KeyPath, NextRound
from tunebook.decide.next_round import order_of_conflicts
from tunebook.plan.design import dumps

#: Comments behind a key stay on one line that an editor shows.
MAX_COMMENT = 160


def render(next_round: NextRound) -> str:
    """The text of the design file; ``plan.design.loads`` reads it as ``next_round.design``."""
    document = tomlkit.parse(dumps(replace(next_round.design, name="")))
    above = _above(next_round)
    for change in next_round.changes:
        item = _item(document, change.key)
        if item is None:
            above.append(f"{'.'.join(change.key)}: {_line(change)}")
        else:
            item.comment(_joined(item, _line(change)))
    head = "".join(f"# {' '.join(line.split())}\n" for line in above)
    return (head + "\n" if head else "") + tomlkit.dumps(document)


def _line(change: Change) -> str:
    text = " ".join(f"{change.text} [{change.source}]".split())
    if len(text) <= MAX_COMMENT:
        return text
    tail = f" ... [{change.source}]"
    return text[: MAX_COMMENT - len(tail)].rstrip() + tail


def _joined(item: Item, line: str) -> str:
    earlier = item.trivia.comment.lstrip("# ").strip()
    return f"{earlier}; {line}" if earlier else line


def _above(next_round: NextRound) -> list[str]:
    """What stands above the design: what to do first, what was left out and in which order, what carries."""
    lines = [f"First: {step}" for step in next_round.first]
    lines += [f"Carries over: {line}" for line in next_round.carries]
    if next_round.left:
        lines.append(f"Not changed, where findings conflict or do not fit ({order_of_conflicts()}):")
        lines += [f"  {line}" for line in next_round.left]
    return lines


def _item(document: Mapping[str, Any], key: KeyPath) -> Item | None:
    """What stands under a path of keys, if it can carry a comment."""
    found: Any = document
    for part in key:
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found if isinstance(found, Item) else None
