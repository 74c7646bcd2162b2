"""Smooth value noise over points in space."""

import numpy as np
from scipy.ndimage import map_coordinates


class Noise:
    """Trilinear noise, -1 to 1, that repeats every 32 cells."""

    def __init__(self, seed):
        self.grid = np.random.default_rng(seed).random((32, 32, 32))

    def __call__(self, points, frequency):
        return map_coordinates(self.grid, (points * frequency).T % 32, order=1, mode="grid-wrap") * 2 - 1

    def layered(self, points, frequency):
        """Three octaves."""
        octaves = [self(points + k * 7.3, frequency * 2.1 ** k) * 0.5 ** k for k in range(3)]
        return sum(octaves) / 1.75
