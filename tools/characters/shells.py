"""Short hair and beards as fur shells: copies of the skin, one above the other, each showing fewer hair tips.

A shell's opacity is the texture's alpha (how tall each curl is) times the vertex alpha (how much of it is left at
this height and place), cut off at one half. So hair fades toward its edge by thinning out instead of ending in a line.
"""

import numpy as np

from mesh import Part, flattened, smoothstep, subdivided, vertex_normals
from noise import Noise
from skin import beard_density, from_mouth_corner
from texture import to_bytes

# Repeats of the texture per decimetre of beard, across the hairs and along them.
BEARD_DENSITY = (10.0, 3.0)


class Crop:
    """A close-cropped, tightly curled cut that fades out at temples and nape."""

    SHELLS = 5

    def __init__(self, head):
        self.head = head

    def scalp_field(self, points):
        """Positive (decimetres) inside the hairline."""
        head = self.head
        angle = np.abs(np.degrees(np.arctan2(points[..., 0], points[..., 2] - head.center[2])))
        line = np.interp(angle, [0, 16, 30, 40, 48, 56, 63, 70, 78, 86, 98, 112, 130, 150, 180],
                         [0.72, 0.72, 0.75, 0.75, 0.66, 0.50, 0.40, 0.26, 0.0, 0.06, 0.02, -0.25, -0.45, -0.52, -0.54])
        return points[..., 1] - head.eye_y - line

    def _fade(self, points):
        """0 at the shaved edge, 1 where the hair has its full length; the sides fade over a broad band."""
        height = points[..., 1] - self.head.eye_y
        front = smoothstep(0.2, 0.8, points[..., 2] - self.head.center[2])
        side = smoothstep(0.05, 0.75, height + 0.25 * front)
        return smoothstep(0.0, 0.16, self.scalp_field(points)) * (0.12 + 0.88 * side)

    def paint_scalp(self, points):
        """Opacity of stubble painted on the skin."""
        noise = Noise(31)
        field = self.scalp_field(points)
        dots = 0.75 + 0.25 * noise(points, 40)
        return smoothstep(-0.015, 0.045, field + 0.015 * noise(points, 25)) * (0.50 + 0.42 * self._fade(points)) * dots

    def build(self):
        head = self.head
        quads = head.skin_quads
        inside = self.scalp_field(head.vertices[quads]).max(1) > -0.05
        quads = quads[inside & (head.ear[quads].max(1) < 0.25)]
        part, _ = subdivided(quads, head.count, 1)
        part.positions = part.blend @ head.vertices
        part = part.clipped(self.scalp_field(part.positions) + 0.01)
        part.positions = part.blend @ head.vertices
        part.normals = vertex_normals(part.positions, part.triangles)
        fade = self._fade(part.positions)
        height = 0.10 * fade * (1 + 0.25 * smoothstep(0.2, 0.8, part.positions[:, 1] - head.eye_y - 0.4))
        part.uv = _polar_map(part, head)
        return stacked(part, height, fade, self.SHELLS, _grey(head, part.positions))


def _grey(head, points):
    """Grey comes first at the temples."""
    angle = np.abs(np.degrees(np.arctan2(points[:, 0], points[:, 2] - head.center[2])))
    return np.exp(-((angle - 72) / 26) ** 2) * smoothstep(0.75, 0.1, points[:, 1] - head.eye_y)


def beard(head):
    """Shells over the bearded skin; they carry the face units, so the beard speaks along."""
    quads = head.skin_quads
    density = beard_density(head, head.vertices)
    # The skin folds into the mouth at its corners; hair is only painted there.
    smooth = from_mouth_corner(head, head.vertices) > 0.10
    quads = quads[(density[quads].max(1) > 0.2) & (head.lip[quads].max(1) < 0.6) & smooth[quads].all(1)]
    part = head.fill(Part.from_quads(quads, head.count), head.units)
    amount = density[part.blend.indices] * (1 - smoothstep(0.2, 0.6, head.lip[part.blend.indices]))
    # Grey beside the chin, less so in the moustache.
    above = smoothstep(-0.05, 0.05, part.positions[:, 1] - head.mouth_center[1])
    beside = np.exp(-((np.abs(part.positions[:, 0]) - 0.20) / 0.16) ** 2) * (1 - 0.4 * above)
    # Hairs run down: the texture is narrow across the face and long along it, without stretch over lip and chin.
    local = part.positions - head.skull
    around = np.hypot(local[:, 0], local[:, 2]) * np.arctan2(local[:, 0], local[:, 2])
    part.uv = flattened(part.positions, part.triangles, np.stack([around, -local[:, 1]], 1)) * BEARD_DENSITY
    return stacked(part, 0.055 * amount, amount * 0.95, 2, 0.15 + 0.6 * beside)


def stacked(part, height, cover, shells, grey):
    """`shells` copies of a part along its normals, up to `height`.

    `cover` is the share of skin that hair hides, `grey` the share of grey hair.
    """
    n = len(part.positions)
    level = (np.arange(shells) + 1) / shells
    positions = part.positions[None] + part.normals[None] * (height * level[:, None])[..., None]
    result = Part(None, np.concatenate([part.triangles + k * n for k in range(shells)]))
    result.positions = positions.reshape(-1, 3)
    result.normals = np.tile(part.normals, (shells, 1))
    result.uv = np.tile(part.uv, (shells, 1))
    if part.weights is not None:
        result.weights = np.tile(part.weights, (shells, 1))
    # Cut-off at one half: texture alpha a survives where a * vertex alpha > 0.5.
    alpha = np.clip(cover[None] * (1.0 - 0.42 * (level[:, None] - level[0])), 0, 1)
    dark = 0.38 + 0.62 * level[:, None] ** 1.2
    grey = grey[:, None]
    tint = dark[..., None] * (np.array([0.15, 0.14, 0.135]) * (1 - grey) + np.array([1.0, 0.97, 0.94]) * grey)
    result.colors = np.concatenate([tint, alpha[..., None]], -1).reshape(-1, 4)
    for name, (offset, turn) in part.deltas.items():
        moved = offset[None] + turn[None] * (height * level[:, None])[..., None]
        result.deltas[name] = (moved.reshape(-1, 3), np.tile(turn, (shells, 1)))
    return result


def _polar_map(part, head):
    """Coordinates for a tiling texture: the scalp flattened around its highest point, without a seam."""
    local = part.positions - head.center
    angle = np.arctan2(local[:, 0], local[:, 2] + 1e-9)
    rise = np.arctan2(local[:, 1], np.hypot(local[:, 0], local[:, 2]))
    pole = np.pi / 2 - rise
    return np.stack([pole * np.sin(angle), pole * np.cos(angle)], 1) * 3.2


def paint_curls(spec, size=256, curls=520):
    """Tiling curls: alpha is the height of each, the colour varies from curl to curl."""
    random = np.random.default_rng(9)
    y, x = np.mgrid[0:size, 0:size].astype(float)
    height, tone = np.zeros((size, size)), np.zeros((size, size))
    reach = int(size / np.sqrt(curls) * 1.2)
    for _ in range(curls):
        cx, cy, peak = *random.uniform(0, size, 2), random.uniform(0.62, 1.0)
        radius = size / np.sqrt(curls) * random.uniform(0.55, 0.95)
        rows = np.arange(int(cy) - reach, int(cy) + reach) % size
        columns = np.arange(int(cx) - reach, int(cx) + reach) % size
        dx = (x[0, columns] - cx + size / 2) % size - size / 2
        dy = (y[rows, 0] - cy + size / 2) % size - size / 2
        distance = np.hypot(dx[None], dy[:, None]) / radius
        swirl = 0.10 * np.sin(np.arctan2(dy[:, None], dx[None]) * 2 + distance * 9)
        bump = peak * np.clip(1 - distance ** 2, 0, 1) ** 0.5 + swirl * (distance < 1)
        block = np.ix_(rows, columns)
        tone[block] = np.where(bump > height[block], random.normal(0, 1), tone[block])
        height[block] = np.maximum(height[block], bump)
    color = np.array(spec.hair_tip_color) * (0.55 + 0.5 * height[..., None]) * (1 + 0.16 * tone[..., None])
    rgba = np.dstack([to_bytes(color), to_bytes(np.clip(0.48 + 0.52 * height, 0, 1) * 255)])
    return rgba
