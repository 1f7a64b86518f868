"""Gradient norms: logged unclipped, clipped at a threshold, and a proposal for the threshold (P3, I3)."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from tunebook.errors import InputError
from tunebook.kit.logger import MetricLog

#: I3: the threshold to start from is this quantile of the unclipped norms.
PROPOSED_QUANTILE = 0.9
#: Fewer norms than this say too little about their 90th percentile (its rank then varies by 3 points either way).
MIN_NORMS = 100
#: I3: with more than this share of steps clipped, clipping is a way of lowering the learning rate.
AGGRESSIVE_FRACTION = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ClippingReport:
    """What clipping did so far; ``threshold`` is None without clipping, the proposed one below 100 finite norms."""

    n_steps: int
    n_clipped: int
    n_not_finite: int
    threshold: float | None
    proposed_threshold: float | None

    @property
    def clipped_fraction(self) -> float:
        """Share of all steps whose gradient was scaled down; 0 before the first step."""
        return self.n_clipped / self.n_steps if self.n_steps else 0.0

    @property
    def is_aggressive(self) -> bool:
        """More than half of the steps clipped: lower the learning rate instead (I3)."""
        return self.clipped_fraction > AGGRESSIVE_FRACTION

    def __str__(self) -> str:
        parts = [f"{self.n_clipped} of {self.n_steps} steps clipped ({self.clipped_fraction:.0%})"]
        if self.threshold is not None:
            parts.append(f"threshold {self.threshold:.4g}")
        if self.proposed_threshold is not None:
            parts.append(f"90th percentile of the unclipped norms {self.proposed_threshold:.4g}")
        if self.n_not_finite:
            parts.append(f"{self.n_not_finite} norms not finite")
        if self.is_aggressive:
            parts.append("extremely aggressive: lower the learning rate instead")
        return ", ".join(parts)


class GradientClipper:
    """Call it between ``backward()`` and ``optimizer.step()``; it returns the unclipped norm of all gradients together.

    ``threshold``: the largest norm let through, above 0; None only logs. A longer gradient is scaled to exactly that
    norm, one that is not finite is left as it is, so that divergence stays visible. ``log`` gets the unclipped norm as
    ``grad_norm`` of every step; with ``every`` above 1 the norms of that many steps are fetched together, which on an
    accelerator saves waiting for it at each step. Call ``flush()`` at the end. Steps below ``ignore_before``, such as a
    warmup, do not count for the report. With mixed precision call ``scaler.unscale_(optimizer)`` first.
    """

    def __init__(
        self, threshold: float | None = None, *, log: MetricLog | None = None, every: int = 1, ignore_before: int = 0
    ) -> None:
        if threshold is not None and not threshold > 0.0:
            raise InputError(f"threshold is {threshold:g} and must be above 0, or None to log without clipping")
        if every < 1:
            raise InputError(f"every is {every} and must be at least 1 step")
        self.threshold = threshold
        self.every = every
        self.ignore_before = ignore_before
        self._log = log
        self._pending: list[tuple[int, float, Tensor]] = []
        self._norms = array("d")
        self._n_clipped = 0

    def __call__(self, parameters: Iterable[Tensor] | Tensor, step: int) -> Tensor:
        """Clip the gradients of ``parameters`` in place; ``step`` is counted from 0."""
        parameters = [parameters] if isinstance(parameters, Tensor) else parameters
        grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
        norm = get_total_norm(grads).detach()
        if self.threshold is not None:
            scale_to(grads, norm, self.threshold)
        self._pending.append((step, math.inf if self.threshold is None else self.threshold, norm))
        if len(self._pending) >= self.every:
            self.flush()
        return norm

    def flush(self) -> None:
        """Fetch, count and log the norms that are still on the device."""
        if not self._pending:
            return
        norms = torch.stack([norm for _, _, norm in self._pending]).tolist()
        for (step, threshold, _), norm in zip(self._pending, norms, strict=True):
            if step >= self.ignore_before:
                self._norms.append(norm)
                self._n_clipped += threshold < norm < math.inf
            if self._log is not None:
                self._log.log(step, {"grad_norm": norm})
        self._pending.clear()

    def report(self) -> ClippingReport:
        """Counts over all steps so far, and the threshold that their norms propose."""
        self.flush()
        finite = [norm for norm in self._norms if math.isfinite(norm)]
        return ClippingReport(
            n_steps=len(self._norms),
            n_clipped=self._n_clipped,
            n_not_finite=len(self._norms) - len(finite),
            threshold=self.threshold,
            proposed_threshold=propose_threshold(finite),
        )

    def state_dict(self) -> dict[str, Any]:
        """The norms seen so far, for a run that is resumed."""
        self.flush()
        return {"norms": torch.tensor(self._norms, dtype=torch.float64), "n_clipped": self._n_clipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting from a saved state; what was counted here before is dropped."""
        self._pending.clear()
        self._norms = array("d", state_dict["norms"].tolist())
        self._n_clipped = int(state_dict["n_clipped"])


def propose_threshold(norms: Iterable[float]) -> float | None:
    """The 90th percentile of finite, unclipped norms, between ranks by straight lines; None for fewer than 100."""
    ranked = sorted(norms)
    if len(ranked) < MIN_NORMS:
        return None
    place = PROPOSED_QUANTILE * (len(ranked) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (place - below) * (ranked[above] - ranked[below])


@torch.no_grad()
def scale_to(grads: list[Tensor], norm: Tensor, threshold: float) -> None:
    """Multiply ``grads`` in place by ``threshold / norm`` where the norm is above it, without waiting for the device.

    Unlike ``torch.nn.utils.clip_grad_norm_`` nothing is added to the norm, so that the result has the threshold as its
    norm however small that is, and a norm that is not finite changes nothing.
    """
    is_over = torch.isfinite(norm) & (norm > threshold)
    factor = torch.where(is_over, threshold / norm, torch.ones_like(norm))
    by_device: dict[torch.device, list[Tensor]] = {}
    for grad in grads:
        by_device.setdefault(grad.device, []).append(grad)
    for device, part in by_device.items():
        torch._foreach_mul_(part, factor.to(device))
