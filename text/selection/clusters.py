"""Centers of vectors: k-means, or points that lie far from each other; and which center is nearest."""

from __future__ import annotations

import numpy as np

ROUNDS = 25


def k_means(points: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return centers of clusters (k-means++: Arthur and Vassilvitskii, 2007; then Lloyd's rounds).

    Args:
        points: (n, d).
        count: of centers; fewer where there are fewer points that differ.
        seed: of the draw.

    Returns:
        (centers, d).
    """
    rng = np.random.default_rng(seed)
    chosen = [int(rng.integers(len(points)))]
    nearest = squared_distances(points, points[chosen])[:, 0]
    while len(chosen) < count and nearest.max() > 0:
        ends = np.cumsum(nearest)
        chosen.append(int(np.searchsorted(ends, rng.random() * ends[-1], side="right").clip(max=len(points) - 1)))
        nearest = np.minimum(nearest, squared_distances(points, points[chosen[-1:]])[:, 0])
    centers = points[chosen]
    for _ in range(ROUNDS):
        members = nearest_center(points, centers)
        sizes = np.bincount(members, minlength=len(centers))
        moved = centers.copy()
        for center in np.flatnonzero(sizes).tolist():
            moved[center] = points[members == center].mean(axis=0)
        if np.array_equal(moved, centers):
            break
        centers = moved
    return centers


def k_center(points: np.ndarray, count: int) -> np.ndarray:
    """Return points that lie far from each other: greedily, the one that is farthest from all so far.

    The largest distance of a point to its center is at most twice the smallest that is possible (Gonzalez, 1985; as a
    core set: arXiv 1708.00489).

    Args:
        points: (n, d).
        count: of centers; fewer where there are fewer points that differ.

    Returns:
        (centers, d); the first is the one nearest to the mean.
    """
    chosen = [int(squared_distances(points, points.mean(axis=0, keepdims=True))[:, 0].argmin())]
    nearest = squared_distances(points, points[chosen])[:, 0]
    while len(chosen) < count and nearest.max() > 0:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, squared_distances(points, points[chosen[-1:]])[:, 0])
    return points[chosen]


def squared_distances(points: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Return (points, centers) float64; next to nothing is 0."""
    # Without BLAS, whose last bit depends on how many points it is given at once.
    products = np.einsum("nd,kd->nk", points, centers)
    squares: np.ndarray = (points**2).sum(axis=1)[:, None] - 2 * products + (centers**2).sum(axis=1)
    squares[squares < 1e-12] = 0
    return squares


def nearest_center(points: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Return the number of the nearest center of each point: (points,) int64."""
    nearest: np.ndarray = squared_distances(points, centers).argmin(axis=1)
    return nearest
