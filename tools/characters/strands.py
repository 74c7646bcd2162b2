"""Long hair: ribbons of strands that grow from the scalp, flow away from the parting, drape over the head and fall.

Ribbons collide with a smooth hull around the head instead of the skin itself, so ears and small features do not tear
the hair apart. Three layers lie over each other: a dark inner one that covers, a middle one, and lighter outer locks.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from mesh import Part, orthonormal_tangents, smoothstep, split_quads, subdivided, unit, vertex_normals
from noise import Noise
from texture import mix, normal_map, to_bytes

COLUMNS = 4


@dataclass(frozen=True)
class Layer:
    """One layer of ribbons (decimetres)."""

    count: int
    offset: float
    width: tuple
    wave: float
    light: float


LAYERS = (Layer(160, 0.055, (0.22, 0.30), 0.012, 0.50), Layer(200, 0.105, (0.16, 0.25), 0.020, 0.80),
          Layer(170, 0.150, (0.09, 0.18), 0.030, 1.0))
SEGMENTS = 9
STEP = 0.05


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

    def pushed_out(self, points, offset):
        """Points moved radially until they are `offset` outside."""
        local = points - self.center
        distance = np.linalg.norm(local, axis=-1)
        directions = local / distance[..., None]
        return self.center + directions * np.maximum(distance, self.radius(directions) + offset)[..., None]

    def outward(self, points):
        """Directions away from the head: radial above the ears, horizontal below them."""
        local = points - self.center
        local = local - [0, 1, 0] * np.minimum(local[..., 1:2], 0)
        return unit(local)


class Bob:
    """A side-parted bob that ends at the chin and frames the face."""

    def __init__(self, head):
        self.head, self.hull = head, Hull(head)
        self.random = np.random.default_rng(23)
        front = head.eye_y + 0.70
        x = 0.30
        # From the hairline over the crown; roots flow away from the nearest point of this line.
        path = np.array([[x, front, 1.6], [x * 0.95, head.top - 0.12, 1.0], [x * 0.7, head.top, 0.55],
                         [x * 0.2, head.top - 0.03, 0.10]])
        fine = np.concatenate([np.linspace(a, b, 24) for a, b in zip(path[:-1], path[1:])])
        self.part_line = self.hull.pushed_out(self.hull.center + unit(fine - self.hull.center) * 0.1, 0.0)

    # -- where hair grows -------------------------------------------------------------------------------------------

    def scalp_field(self, points):
        """Positive (decimetres) inside the hairline."""
        head = self.head
        angle = np.abs(np.degrees(np.arctan2(points[..., 0], points[..., 2] - head.center[2])))
        line = np.interp(angle, [0, 18, 34, 48, 60, 72, 82, 92, 104, 116, 130, 150, 180],
                         [0.74, 0.73, 0.67, 0.56, 0.36, 0.12, -0.02, 0.10, 0.02, -0.30, -0.52, -0.64, -0.66])
        return points[..., 1] - head.eye_y - line

    def paint_scalp(self, points):
        """Opacity of hair colour painted on the skin: the scalp, and a soft edge of baby hair."""
        noise = Noise(31)
        return 0.92 * smoothstep(-0.06, 0.10, self.scalp_field(points) + 0.05 * noise(points * [3, 1, 1], 14))

    # -- strands ----------------------------------------------------------------------------------------------------

    def _roots(self, count):
        head, random = self.head, self.random
        quads = head.skin_quads
        quads = quads[(self.scalp_field(head.vertices[quads]).min(1) > 0.0) & (head.ear[quads].max(1) < 0.1)]
        corners = head.vertices[quads]
        area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0]), axis=1)
        pick = random.choice(len(quads), count, p=area / area.sum())
        a, b = random.random((2, count, 1))
        c = corners[pick]
        return (c[:, 0] * (1 - a) + c[:, 1] * a) * (1 - b) + (c[:, 3] * (1 - a) + c[:, 2] * a) * b

    def _nearest_part(self, points):
        distance = np.linalg.norm(points[:, None] - self.part_line[None], axis=2)
        nearest = distance.argmin(1)
        return self.part_line[nearest], distance.min(1)

    def _face_limit(self, points):
        """Smallest azimuth (degrees) at which hair may hang beside the face, by height."""
        y = points[:, 1] - self.head.eye_y
        long_side = np.interp(y, [-0.9, -0.5, -0.1, 0.25, 0.50, 0.70, 0.85], [50, 56, 58, 54, 44, 22, 0])
        short_side = np.interp(y, [-0.9, -0.5, -0.1, 0.25, 0.50, 0.70, 0.85], [50, 58, 62, 60, 50, 30, 0])
        return np.where(points[:, 0] < 0.1, long_side, short_side)

    def _grow(self, roots, layer):
        """Polylines (count, steps, 3) from the roots to the ends."""
        head, hull, random = self.head, self.hull, self.random
        n = len(roots)
        nearest, away = self._nearest_part(roots)
        outward = hull.outward(roots)
        heading = roots - nearest
        heading[:, 2] -= 0.02
        heading = unit(heading - outward * (heading * outward).sum(1, keepdims=True))
        # Hair on the crown and the back starts downward; close to the parting it leaves at a right angle.
        heading = unit(heading + 0.25 * random.normal(0, 0.35, (n, 3)))
        end = head.mouth_center[1] - 0.22 + 0.035 * random.normal(0, 1, n)
        front = smoothstep(0.2, 1.0, roots[:, 2] - head.center[2])
        end = end - 0.10 * front + np.where(layer.light < 0.6, 0.10, 0.0)
        phase, wave = random.uniform(0, 6.3, n), layer.wave * random.uniform(0.3, 1.2, n)
        lift = layer.offset * (1 + 0.25 * random.normal(0, 1, n))
        points, lines = roots.copy(), [roots.copy()]
        steps = 80
        for k in range(1, steps):
            travel = k * STEP
            outward = hull.outward(points)
            steep = smoothstep(0.15, -0.25, points[:, 1] - head.eye_y - 0.45)
            gravity = np.array([0, -1.0, 0]) * (0.16 + 0.30 * steep)[:, None]
            heading = unit(heading + gravity)
            inward = (heading * outward).sum(1, keepdims=True)
            heading = unit(heading - outward * np.minimum(inward, 0) * 0.9)
            # The last third turns in toward the neck.
            curl = smoothstep(end + 0.42, end, points[:, 1])
            heading = unit(heading - 0.30 * curl[:, None] * outward)
            side = np.cross(outward, heading)
            step = heading * STEP + side * (wave * STEP * 3 * np.cos(phase + travel * 5))[:, None]
            points = points + step * (points[:, 1] > end)[:, None]
            grown = lift * smoothstep(0, 0.35, travel)
            points = hull.pushed_out(points, grown)
            points = self._beside_face(points)
            lines.append(points.copy())
        return np.stack(lines, 1)

    def _beside_face(self, points):
        local = points - self.hull.center
        azimuth = np.degrees(np.arctan2(local[:, 0], local[:, 2]))
        limit = self._face_limit(points)
        clear = np.maximum(np.abs(azimuth), limit)
        side = np.where(np.abs(azimuth) < 4, np.where(points[:, 0] < 0.25, -1, 1), np.sign(azimuth))
        turned = np.radians(np.where(np.abs(azimuth) < limit, side * clear, azimuth))
        radius = np.hypot(local[:, 0], local[:, 2])
        local = np.stack([radius * np.sin(turned), local[:, 1], radius * np.cos(turned)], 1)
        return self.hull.center + local

    # -- ribbons ----------------------------------------------------------------------------------------------------

    def build(self):
        """The part `hair`: a covering cap and all ribbons, coloured from dark roots to light tips."""
        parts = [self._cap()]
        for number, layer in enumerate(LAYERS):
            lines = self._grow(self._roots(layer.count), layer)
            parts.append(self._ribbons(lines, layer))
        start, pieces = 0, []
        for part in parts:
            pieces.append(part.triangles + start)
            start += len(part.positions)
        hair = Part(None, np.concatenate(pieces))
        for name in ("positions", "normals", "uv", "colors", "tangents"):
            setattr(hair, name, np.concatenate([getattr(p, name) for p in parts]))
        return hair

    def _cap(self):
        head = self.head
        quads = head.skin_quads
        quads = quads[(self.scalp_field(head.vertices[quads]).min(1) > -0.1) & (head.ear[quads].max(1) < 0.1)]
        part, _ = subdivided(quads, head.count, 1)
        field = self.scalp_field(part.blend @ head.vertices)
        part = part.clipped(field - 0.03)
        part.positions = part.blend @ head.vertices
        part.normals = vertex_normals(part.positions, part.triangles)
        rise = smoothstep(0.0, 0.35, self.scalp_field(part.positions))
        part.positions = part.positions + part.normals * (0.006 + 0.035 * rise)[:, None]
        nearest, away = self._nearest_part(part.positions)
        # The cap shows the middle of the first texture column, which is opaque.
        part.uv = np.stack([0.06 + 0.13 * ((part.positions[:, 0] * 3) % 1), 0.1 + 0.3 * np.clip(away, 0, 1)], 1)
        dark = 0.30 + 0.25 * smoothstep(0.02, 0.3, away)
        part.colors = np.c_[np.repeat(dark[:, None], 3, 1), np.ones(len(dark))]
        part.tangents = orthonormal_tangents(part)
        return part

    def _ribbons(self, lines, layer):
        random, hull, head = self.random, self.hull, self.head
        n = len(lines)
        # Even spacing along each strand; a strand that stopped early repeats its last point.
        span = np.concatenate([np.zeros((n, 1)), np.cumsum(np.linalg.norm(np.diff(lines, axis=1), axis=2), 1)], 1)
        s = np.linspace(0, 1, SEGMENTS + 1)
        even = np.stack([np.stack([np.interp(s * span[i, -1], span[i], lines[i, :, k]) for k in range(3)], 1)
                         for i in range(n)])
        even = gaussian_filter(even, (0, 0.7, 0), mode="nearest")
        keep = (span[:, -1] > 0.5) & (lines[:, -1, 1] > head.mouth_center[1] - 0.45)
        even, span = even[keep], span[keep]
        n = len(even)
        along = unit(np.gradient(even, axis=1))
        outward = hull.outward(even)
        outward = unit(outward - along * (outward * along).sum(2, keepdims=True))
        roll = np.radians(random.normal(0, 9, n))[:, None, None]
        side = np.cross(outward, along)
        side, outward = side * np.cos(roll) + outward * np.sin(roll), outward * np.cos(roll) - side * np.sin(roll)
        width = random.uniform(*layer.width, n)[:, None] * (0.62 + 0.38 * smoothstep(0, 0.25, s)) * \
            (1 - 0.45 * smoothstep(0.70, 1.0, s))
        across = np.array([-1.0, 0.0, 1.0])
        bulge = 0.16 * (1 - across ** 2)
        grid = even[:, :, None] + width[:, :, None, None] * 0.5 * (
            side[:, :, None] * across[None, None, :, None] + outward[:, :, None] * bulge[None, None, :, None])
        tilt = np.radians(38) * across
        cosine, sine = (f(tilt)[None, None, :, None] for f in (np.cos, np.sin))
        bent = outward[:, :, None] * cosine + side[:, :, None] * sine
        smooth = hull.outward(grid)
        normals = unit(0.65 * bent + 0.55 * smooth)
        column = random.integers(0, COLUMNS, n)[:, None, None]
        flip = np.where(random.random(n) < 0.5, 1, -1)[:, None, None]
        u = (column + 0.5 + 0.48 * flip * across[None, None]) / COLUMNS + 0 * s[None, :, None]
        v = np.broadcast_to(s[None, :, None], u.shape)
        tone = layer.light * (1 + 0.13 * random.normal(0, 1, n))[:, None]
        shade = tone * (0.58 + 0.42 * smoothstep(0.0, 0.20, s))[None] * (1 - 0.25 * smoothstep(0.85, 1, s))
        inner = smoothstep(head.eye_y, head.eye_y - 0.7, even[..., 1]) * (layer.light < 0.6)
        shade = np.clip(shade * (1 - 0.45 * inner), 0, 1)
        # Vertex colours are linear factors.
        colors = np.repeat(shade[:, :, None] ** 1.6, 3, 2)
        rows, columns = SEGMENTS + 1, 3
        index = np.arange(n * rows * columns).reshape(n, rows, columns)
        quads = np.stack([index[:, :-1, :-1], index[:, :-1, 1:], index[:, 1:, 1:], index[:, 1:, :-1]], -1)
        part = Part(None, split_quads(quads.reshape(-1, 4)))
        part.positions, part.normals = grid.reshape(-1, 3), normals.reshape(-1, 3)
        part.uv = np.stack([u, v], -1).reshape(-1, 2)
        part.colors = np.c_[np.repeat(colors.reshape(-1, 1), 3, 1), np.ones(colors.size)]
        face = np.cross(part.positions[part.triangles[:, 1]] - part.positions[part.triangles[:, 0]],
                        part.positions[part.triangles[:, 2]] - part.positions[part.triangles[:, 0]])
        if (face * part.normals[part.triangles[:, 0]]).sum() < 0:
            part.triangles = part.triangles[:, ::-1]
        part.tangents = orthonormal_tangents(part)
        return part


def paint_strands(spec, width=512, height=512):
    """Albedo with alpha and relief of the ribbon texture: four columns of strands, roots at the top."""
    noise = Noise(41)
    v, u = (np.mgrid[0:height, 0:width] + 0.5) / [[[height]], [[width]]]
    column = np.floor(u * COLUMNS)
    x = u * COLUMNS - column

    def strands(frequency, wander):
        sway = wander * noise(np.stack([x * 2, v * 1.5, column * 5], -1).reshape(-1, 3), 1.0).reshape(x.shape)
        at = np.stack([(x + sway) * frequency, v * 1.6, column * 9.7], -1).reshape(-1, 3)
        return noise(at, 1.0).reshape(x.shape)

    coarse, fine = strands(9, 0.08), strands(24, 0.05)
    relief = 0.62 * coarse + 0.38 * fine
    edge = np.abs(x - 0.5) * 2
    # Ragged long edges; the end splits into points between the strands.
    ragged = 0.28 * strands(14, 0.1) * (0.3 + 0.7 * v) - 0.10 * smoothstep(0.3, 1, v)
    alpha = smoothstep(0.0, 0.16, 1.02 - edge + ragged)
    tips = smoothstep(0.0, 0.10, 0.94 - v + 0.05 * fine + 0.07 * coarse - 0.12 * edge ** 2)
    alpha = alpha * tips
    alpha[:, :] = np.where((column == 0) & (v < 0.5) & (np.abs(x - 0.5) < 0.35), 1, alpha)
    color = mix(np.ones((height, width, 3)) * spec.hair_color, spec.hair_tip_color, np.clip(
        0.75 * smoothstep(0.35, 1.0, v) + 0.35 * relief * smoothstep(0.1, 0.5, v), 0, 1))
    color = color * (1 + 0.38 * relief)[..., None]
    rgba = np.dstack([to_bytes(color), to_bytes(alpha * 255)])
    return rgba, normal_map(relief, 1.6, wrap=False)
