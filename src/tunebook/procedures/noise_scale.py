"""The gradient noise scale: a cheap guess at where to start looking for a batch size (methods 9).

For gradients of batches of ``b`` and ``B`` examples, ``E|g_B|^2 = |G|^2 + tr(S) / B``. Two batch sizes give
both unknowns without bias, and ``tr(S) / |G|^2`` is the batch size at which noise and signal are equal.
It varies tenfold within a run, does not see preconditioning and ignores batch normalisation: a place to
start a ladder, never a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tunebook.evidence import FloatArray

#: How slowly the averages forget: over about a hundred steps.
DECAY = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseScale:
    """``signal`` is ``|G|^2``, ``noise`` is ``tr(S)``, both averages; either may come out negative by chance."""

    signal: float
    noise: float

    @property
    def batch_size(self) -> float | None:
        """The simple noise scale; None while the averages do not allow one."""
        return self.noise / self.signal if self.signal > 0 and self.noise > 0 else None


def noise_scale(small: int, large: int, small_norms: FloatArray, large_norms: FloatArray) -> NoiseScale:
    """From norms of gradients of ``small`` and of ``large`` examples at the same steps, shape (n,).

    The ratio is of averages, not an average of ratios, which has no finite mean. ``ValueError`` unless
    0 < small < large and the shapes agree.
    """
    if not 0 < small < large or small_norms.shape != large_norms.shape or not len(small_norms):
        raise ValueError(f"batch sizes {small} and {large} with {len(small_norms)} and {len(large_norms)} norms")
    below, above = small_norms**2, large_norms**2
    signal = (large * above - small * below) / (large - small)
    noise = (below - above) / (1 / small - 1 / large)
    return NoiseScale(signal=float(np.mean(signal)), noise=float(np.mean(noise)))


def running_noise_scale(
    small: int, large: int, small_norms: FloatArray, large_norms: FloatArray, decay: float = DECAY
) -> NoiseScale:
    """The same at the end of a run, with exponential averages that forget its start."""
    weights = decay ** np.arange(len(small_norms) - 1, -1, -1)
    weights /= weights.sum()
    below = np.sqrt(weights @ small_norms**2)
    above = np.sqrt(weights @ large_norms**2)
    return noise_scale(small, large, np.array([below]), np.array([above]))
