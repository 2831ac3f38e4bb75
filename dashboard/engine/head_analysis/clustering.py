"""Things ordered and laid out by their distances: hierarchical clustering and a map. Arrays in, arrays out."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform


@dataclass(frozen=True, eq=False)
class Clusters:
    """A tree over things, and an order in which neighbours are alike.

    Attributes:
        linkage: scipy's format, one row a merge: the two clusters, their distance, the new cluster's size.
        order: The tree's leaves from left to right.
    """

    linkage: Float[np.ndarray, "merge 4"]
    order: Int[np.ndarray, "thing"]

    def cut(self, distance: float) -> Int[np.ndarray, "thing"]:
        """Cluster number of each thing, from 1, when merges above this distance are undone."""
        if len(self.order) == 1:
            return np.ones(1, dtype=int)
        return hierarchy.fcluster(self.linkage, distance, "distance").astype(int)


@dataclass(frozen=True, eq=False)
class Map:
    """Things as points whose distances resemble the true ones.

    Attributes:
        points: Coordinates; the first dimension spreads most.
        share: Part of the sum of squared distances that the points keep, 0 to 1.
    """

    points: Float[np.ndarray, "thing dimension"]
    share: float


def cluster(distance: Float[np.ndarray, "thing thing"]) -> Clusters:
    """Average-linkage clustering, leaves ordered so that neighbours are as close as the tree allows.

    Raises:
        ValueError: The matrix is not symmetric with a zero diagonal.

    Source: Sokal & Michener 1958 (UPGMA); Bar-Joseph et al. 2001 (leaf order).
    """
    condensed = squareform(distance, checks=True)
    if len(distance) == 1:
        return Clusters(np.empty((0, 4)), np.zeros(1, dtype=int))
    linkage = hierarchy.linkage(condensed, "average", optimal_ordering=True)
    return Clusters(linkage, hierarchy.leaves_list(linkage).astype(int))


def classical_mds(distance: Float[np.ndarray, "thing thing"], n_dimensions: int = 2) -> Map:
    """Points in few dimensions by eigenvectors of the doubly centred squared distances.

    Distances of points that lie in so few dimensions are kept exactly. Signs are fixed (the largest coordinate of
    each dimension is positive), so the same distances give the same map.

    Source: Torgerson 1952.
    """
    squared = distance.astype(np.float64) ** 2
    centred = squared - squared.mean(0) - squared.mean(1)[:, None] + squared.mean()
    values, vectors = np.linalg.eigh(-centred / 2)
    values, vectors = values[::-1].clip(min=0), vectors[:, ::-1]  # largest first
    kept = min(n_dimensions, len(values))
    points = np.zeros((len(values), n_dimensions))
    points[:, :kept] = vectors[:, :kept] * np.sqrt(values[:kept])
    strongest = points[np.abs(points).argmax(0), np.arange(n_dimensions)]
    points *= np.where(strongest < 0, -1, 1)
    total = float(values.sum())
    return Map(points, float(values[:kept].sum()) / total if total > 0 else 1.0)
