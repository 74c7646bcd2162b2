"""Long hair: a bob of a few sheets that lie over each other, with single locks on top.

A sheet is spanned over guide strands, which leave the parting, lie over the head and hang down from the temples on. The
sheets have no gaps, so hair hides the head from every side, and their relief of locks makes the outline. Guides follow
a smooth hull around the head instead of the skin itself, so ears and small features do not tear the hair apart.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates

from mesh import Part, orthonormal_tangents, smoothstep, split_quads, unit, vertex_normals
from noise import Noise
from texture import mix, normal_map, to_bytes

# Points along every strand.
ROWS = 20
# Width of hair (decimetres) that one repeat of the texture covers.
TEXTURE_WIDTH = 1.25


@dataclass(frozen=True)
class Sheet:
    """One layer of hair: columns of vertices, distance from the hull (decimetres), brightness, lift of the hem, reach.

    The reach is how far it comes forward to the face: inner layers stay behind the edge of the outer one.
    """

    columns: int
    offset: float
    light: float
    hem: float
    reach: float


SHEETS = (Sheet(61, 0.040, 0.32, 0.045, 0.965), Sheet(91, 0.085, 0.62, 0.020, 0.985), Sheet(193, 0.130, 1.0, 0.0, 1.0))
LOCKS = 70
LOCK_COLUMNS = 5


class Hull:
    """A smooth star-shaped surface around the head, as a radius per direction from the middle of the skull."""

    ELEVATIONS, AZIMUTHS = 48, 96

    def __init__(self, head):
        self.center = head.center
        quads = head.skin_quads
        used = np.unique(quads[head.vertices[quads][..., 1].min(1) > head.neck[1] - 0.3])
        points = head.vertices[used] - self.center
        radius = np.linalg.norm(points, axis=1)
        directions = points / radius[:, None]
        elevation = np.radians(np.linspace(-90, 90, self.ELEVATIONS))
        azimuth = np.radians(np.linspace(-180, 180, self.AZIMUTHS, endpoint=False))
        e, a = np.meshgrid(elevation, azimuth, indexing="ij")
        grid = np.stack([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)], -1).reshape(-1, 3)
        weight = np.exp((grid @ directions.T - 1) * 260)
        # A power mean leans toward the outermost skin in each direction (ears, jaw).
        radius = ((weight @ radius ** 8) / weight.sum(1)) ** (1 / 8)
        self.grid = gaussian_filter(radius.reshape(e.shape), (0.8, 0.8), mode=("nearest", "wrap"))

    def radius(self, directions):
        elevation = np.degrees(np.arcsin(np.clip(directions[..., 1], -1, 1)))
        azimuth = np.degrees(np.arctan2(directions[..., 0], directions[..., 2]))
        at = [(elevation + 90) / 180 * (self.ELEVATIONS - 1), (azimuth + 180) / 360 * self.AZIMUTHS]
        return map_coordinates(self.grid, [c.ravel() for c in at], order=1, mode="grid-wrap").reshape(elevation.shape)


class Bob:
    """A side-parted bob that ends at the chin and sweeps over the forehead.

    A guide strand is named by a number w: -1 frames the face on the far side of the parting, 0 hangs down behind, +1
    frames the face on the near side. A point on it is named by s, from 0 at the root to 1 at the tip.
    """

    # The parting is on the character's left. Share of the guides that start along it; the others start at the crown.
    PARTED = 0.45
    # Directions from the middle of the skull (degrees): where hair frames the face, and below which it hangs freely.
    FACE_FAR, FACE_NEAR, HANG = 57, 60, -14
    LOCK_COUNT = 30

    def __init__(self, head):
        self.head, self.hull = head, Hull(head)
        self.random = np.random.default_rng(23)
        path = np.array([[0.29, head.eye_y + 0.72, 1.6], [0.28, head.top - 0.12, 1.0], [0.20, head.top, 0.55],
                         [0.05, head.top - 0.03, 0.18]])
        fine = np.concatenate([np.linspace(a, b, 24) for a, b in zip(path[:-1], path[1:])])
        self.parting = gaussian_filter1d(unit(fine - self.hull.center), 6, axis=0, mode="nearest")
        # Uneven widths of the locks, their depth, their sway and where they end, as smooth functions of w.
        self.at = np.linspace(-1, 1, 401)
        self.phase = np.pi * self.LOCK_COUNT * (self.at + 0.022 * self._wander(12)) / 2
        self.depth = np.stack([np.clip(0.55 + 0.35 * self._wander(9), 0.1, 1.2) for _ in range(4)], 1)
        self.sway, self.hem = self._wander(10), self._wander(7)

    def _wander(self, width):
        values = gaussian_filter1d(self.random.normal(0, 1, len(self.at)), width)
        return values / values.std()

    # -- where hair grows -------------------------------------------------------------------------------------------

    def scalp_field(self, points):
        """Positive (decimetres) inside the hairline."""
        head = self.head
        angle = np.abs(np.degrees(np.arctan2(points[..., 0], points[..., 2] - head.center[2])))
        line = np.interp(angle, [0, 18, 34, 48, 60, 72, 82, 92, 104, 116, 130, 150, 180],
                         [0.74, 0.73, 0.71, 0.60, 0.40, 0.16, -0.02, 0.10, 0.02, -0.30, -0.52, -0.64, -0.66])
        return points[..., 1] - head.eye_y - line

    def paint_scalp(self, points):
        """Opacity of hair colour painted on the skin: the scalp, and a soft edge of baby hair."""
        noise = Noise(31)
        return 0.92 * smoothstep(-0.10, 0.12, self.scalp_field(points) + 0.05 * noise(points * [3, 1, 1], 14))

    # -- guides -----------------------------------------------------------------------------------------------------

    def _direction(self, azimuth, elevation):
        a, e = np.radians(azimuth), np.radians(elevation)
        return np.stack([np.cos(e) * np.sin(a), np.sin(e) + 0 * a, np.cos(e) * np.cos(a)], -1)

    def guides(self, w, offset, hem):
        """Strands (len(w), ROWS, 3) at `offset` from the hull that end `hem` above the cut."""
        head, hull = self.head, self.hull
        far, back = w < 0, 1 - np.abs(w)
        side = np.where(far, -1, 1)
        face = np.where(far, self.FACE_FAR, self.FACE_NEAR)
        azimuth = side * (face + (180 - face) * back ** 0.9)
        # Over the head: from the parting along an arc that arrives from above.
        start = np.minimum(back / self.PARTED, 1) * (len(self.parting) - 1)
        root = np.stack([np.interp(start, np.arange(len(self.parting)), self.parting[:, k]) for k in range(3)], 1)
        above = self._direction(azimuth, 12 + 26 * smoothstep(0, 0.3, back))
        last = self._direction(azimuth, self.HANG + 0 * azimuth)
        t = np.linspace(0, 1, 40)[None, :, None]
        arc = unit(root[:, None] * (1 - t) ** 2 + above[:, None] * 2 * t * (1 - t) + last[:, None] * t ** 2)
        travel = np.cumsum(np.linalg.norm(np.diff(arc, axis=1, prepend=arc[:, :1]), axis=2), 1)
        # Hair lies flat at the parting and beside the face, but never so flat that the hull cuts into the forehead.
        lift = offset * (0.15 + 0.85 * smoothstep(0, 0.45, travel)) * (0.22 + 0.78 * smoothstep(0, 0.14, back))[:, None]
        lift = lift + 0.035 * smoothstep(0.5, 0, travel)
        over = hull.center + arc * (hull.radius(arc) + lift)[..., None]
        # From there down to the cut, turning in at the tips.
        front = smoothstep(0.55, 0.0, back)
        cut = head.chin[1] + 0.03 - 0.05 * front + hem + 0.018 * np.interp(w, self.at, self.hem)
        # The corner of the cut beside the face is round.
        cut = cut + 0.10 * smoothstep(0.07, 0.0, back) ** 2
        top = over[:, -1]
        y = top[:, 1:2] + (cut - top[:, 1])[:, None] * np.linspace(0, 1, 30)[None, 1:]
        fall = (top[:, 1:2] - y) / (top[:, 1] - cut)[:, None]
        flat = (top - hull.center) * [1, 0, 1]
        reach = np.linalg.norm(flat, axis=1, keepdims=True)
        reach = reach + 0.06 * np.sin(fall * np.pi * 0.75) - 0.20 * smoothstep(0.50, 1.08, fall) ** 1.5
        # Beside the face it first bends away and then toward the chin.
        framing = (side * smoothstep(0.30, 0.0, back))[:, None]
        turn = np.radians(framing * (3.5 * np.sin(fall * np.pi) - 5.0 * fall ** 2)
                          + 2.2 * np.interp(w, self.at, self.sway)[:, None] * np.sin(fall * 3.6))
        heading = np.arctan2(flat[:, :1], flat[:, 2:]) + turn
        down = np.stack([reach * np.sin(heading), y, reach * np.cos(heading)], 2) + hull.center * [1, 0, 1]
        line = np.concatenate([over, down], 1)
        rounded = gaussian_filter1d(line, 2.0, axis=1, mode="nearest")
        line = line + smoothstep(0, 6, np.arange(line.shape[1]))[:, None] * (rounded - line)
        span = np.cumsum(np.linalg.norm(np.diff(line, axis=1, prepend=line[:, :1]), axis=2), 1)
        s = np.linspace(0, 1, ROWS)
        return np.stack([np.stack([np.interp(s * d[-1], d, p[:, k]) for k in range(3)], 1)
                         for d, p in zip(span, line)])

    def _outward(self, points):
        """Directions away from the head: radial above the ears, level below them."""
        local = points - self.hull.center
        return unit(local - [0, 1, 0] * np.minimum(local[..., 1:2], 0))

    def _relief(self, w, s):
        """Height of the locks, 0 in the grooves between them and up to 1 on their backs; they merge and part again."""
        ridge = np.abs(np.sin(np.interp(w, self.at, self.phase))) ** 0.7
        knots = np.stack([np.interp(w, self.at, d) for d in self.depth.T], 1)
        place = np.linspace(0, 1, knots.shape[1])
        depth = np.stack([np.interp(s, place, row) for row in knots])
        return 1 - (1 - ridge[:, None]) * depth * smoothstep(0.10, 0.60, s)

    # -- sheets and locks -------------------------------------------------------------------------------------------

    def build(self):
        """The part `hair`."""
        parts = [self._sheet(sheet) for sheet in SHEETS] + [self._locks()]
        start, pieces = 0, []
        for part in parts:
            pieces.append(part.triangles + start)
            start += len(part.positions)
        hair = Part(None, np.concatenate(pieces))
        for name in ("positions", "normals", "uv", "colors", "tangents"):
            setattr(hair, name, np.concatenate([getattr(p, name) for p in parts]))
        return hair

    def _sheet(self, sheet):
        w = sheet.reach * np.linspace(-1, 1, sheet.columns)
        grid = self.guides(w, sheet.offset, sheet.hem)
        s = np.linspace(0, 1, ROWS)
        relief = self._relief(w, s)
        grid = grid + self._outward(grid) * (0.019 * (relief - 1))[..., None]
        shade = sheet.light * (0.88 + 0.12 * relief)
        # Hair thins out into single strands where it frames the face.
        thin = smoothstep(0.010, 0, 1 - np.abs(w))[:, None] * smoothstep(0.05, 0.2, s)
        alpha = 1 - 0.45 * thin
        return self._surface(grid[None], w[None], s, shade[None], alpha[None])

    def _locks(self):
        """Single locks that lie on the outermost sheet and break its evenness."""
        random, n = self.random, LOCKS
        middle = np.sort(random.uniform(-0.985, 0.985, n))
        width = random.uniform(0.018, 0.040, n)
        across = np.linspace(-1, 1, LOCK_COLUMNS)
        w = np.clip(middle[:, None] + width[:, None] * across, -1, 1)
        grid = self.guides(w.ravel(), SHEETS[-1].offset, 0.0).reshape(n, LOCK_COLUMNS, ROWS, 3)
        s = np.linspace(0, 1, ROWS)
        # Locks come out of the sheet and narrow to the tip.
        rise = random.uniform(0.015, 0.045, n)[:, None] * smoothstep(0.12, 0.5, s)
        dome = (1 - 0.8 * across ** 2)[None, :, None]
        spine = grid[:, LOCK_COLUMNS // 2, None]
        grid = spine + (grid - spine) * (1 - 0.35 * smoothstep(0.6, 1.0, s))[None, None, :, None]
        grid = grid + self._outward(grid) * (rise[:, None] * dome)[..., None]
        tone = np.clip(random.normal(0.98, 0.07, n), 0.8, 1.0)[:, None, None]
        shade = np.broadcast_to(tone * (0.86 + 0.14 * dome), grid.shape[:-1])
        alpha = np.broadcast_to((1 - 0.45 * np.abs(across) ** 3)[None, :, None], shade.shape)
        return self._surface(grid, w, s, shade, alpha)

    def _surface(self, grid, w, s, shade, alpha):
        """A part from grids of vertices (pieces, columns, rows)."""
        head = self.head
        index = np.arange(shade.size).reshape(shade.shape)
        quads = np.stack([index[:, :-1, :-1], index[:, 1:, :-1], index[:, 1:, 1:], index[:, :-1, 1:]], -1)
        part = Part(None, split_quads(quads.reshape(-1, 4)))
        part.positions = grid.reshape(-1, 3)
        part.normals = vertex_normals(part.positions, part.triangles)
        if (part.normals * self._outward(part.positions)).sum() < 0:
            part.triangles, part.normals = part.triangles[:, ::-1], -part.normals
        u = np.broadcast_to(w[..., None] * 2.5 / TEXTURE_WIDTH, shade.shape)
        part.uv = np.stack([u, np.broadcast_to(s, shade.shape)], -1).reshape(-1, 2)
        # Darker at the roots, in the shade of the jaw and at the tips' underside; a soft sheen around the crown.
        rise = unit(grid - self.hull.center)[..., 1]
        sheen = np.exp(-((rise - 0.50) / 0.20) ** 2)
        low = smoothstep(head.mouth_center[1] + 0.25, head.chin[1], grid[..., 1])
        shade = shade * (0.58 + 0.20 * smoothstep(0, 0.12, s) + 0.20 * sheen) * (1 - 0.12 * low)
        shade = np.clip(shade, 0, 1).reshape(-1, 1)
        # Vertex colours are linear factors.
        part.colors = np.hstack([np.repeat(shade ** 1.6, 3, 1), alpha.reshape(-1, 1)])
        part.tangents = orthonormal_tangents(part)
        return part


def paint_strands(spec, width=512, height=512):
    """Albedo and relief of the hair texture: strands along v, roots at the top; it repeats along u.

    Alpha is the height of each strand, one half to 1, and 0 beyond the tips: where vertex alpha falls below 1, only the
    higher strands remain.
    """
    noise = Noise(41)
    v, u = (np.mgrid[0:height, 0:width] + 0.5) / [[[height]], [[width]]]

    def strands(count, wander):
        sway = wander * noise(np.stack([u * 32, v * 2.5, 0 * u + count], -1).reshape(-1, 3), 1.0).reshape(u.shape)
        # The noise repeats every 32 cells.
        at = np.stack([(u + sway / 32) * count, v * 2.2, 0 * u + 3.7 * count], -1).reshape(-1, 3)
        return noise(at, 1.0).reshape(u.shape)

    broad, coarse, fine = strands(32, 0.4), strands(64, 0.4), strands(160, 0.3)
    relief = 0.35 * broad + 0.40 * coarse + 0.25 * fine
    tip = 1.0 - 0.016 * (0.5 - 0.5 * broad) - 0.012 * (0.5 - 0.5 * coarse)
    alpha = np.clip(0.75 + 0.6 * relief, 0.5, 1) * (v < tip)
    color = mix(np.ones((height, width, 3)) * spec.hair_color, spec.hair_tip_color,
                np.clip(0.62 * smoothstep(0.25, 1.0, v) + 0.20 * relief + 0.12, 0, 1))
    color = color * (1 + 0.22 * relief)[..., None]
    rgba = np.dstack([to_bytes(color), to_bytes(alpha * 255)])
    return rgba, normal_map(relief, 1.0)
