"""The desk: where agents on a Ray cluster leave word for the driver, and hear what it asks of them."""

from __future__ import annotations

import asyncio

from tunebook.run.agent import Asked, Told


class Desk:
    """An actor between the driver and its agents, so that neither has to find the other."""

    def __init__(self) -> None:
        self._words: list[Told] = []
        self._n_gone = 0
        self._asked: dict[int, Asked] = {}
        self._has_words = asyncio.Event()

    async def tell(self, word: Told) -> Asked:
        """For agents: leave word, and hear what is wanted."""
        self._words.append(word)
        self._has_words.set()
        return self._asked.get(word.key, Asked())

    async def ask(self, key: int, asked: Asked) -> None:
        """For the driver: want something of a job."""
        self._asked[key] = asked

    async def collect(self, n_known: int) -> tuple[int, list[Told]]:
        """For the driver, which has ``n_known`` words: those after them, once there are some, and how many then."""
        del self._words[: n_known - self._n_gone]
        self._n_gone = n_known
        while not self._words:
            self._has_words.clear()
            await self._has_words.wait()
        return self._n_gone + len(self._words), list(self._words)
