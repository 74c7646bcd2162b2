"""Skin, clothes and the closed rim of the bust."""

import numpy as np

from mesh import Part, smoothstep, split_quads, unit, vertex_normals


class SkinMap:
    """Texture coordinates of the skin: cylindrical about the head, with more texels for the face.

    MakeHuman's own layout gives eyes and lips only a few percent of the texture. The seam runs down the back, where
    hair covers it; `u` passes 1 there and the sampler repeats.
    """

    def __init__(self, head):
        self.axis_z = head.skull[2] + 0.25
        bottom, top = head.neck[1] - 1.3, head.top + 0.05
        heights = np.linspace(bottom, top, 400)
        low, high = head.chin[1] - 0.25, head.eye_y + 0.55
        density = 1 + 2.0 * smoothstep(low - 0.2, low, heights) * (1 - smoothstep(high, high + 0.2, heights))
        cumulative = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
        self.heights, self.v = heights, 1 - cumulative / cumulative[-1]

    def __call__(self, points):
        angle = np.arctan2(points[..., 0], points[..., 2] - self.axis_z)
        u = 0.5 + (angle + 0.72 * np.sin(angle)) / (2 * np.pi)
        return np.stack([u, np.interp(points[..., 1], self.heights, self.v)], -1)

    def corners(self, points):
        """Texture coordinates of quad corners, continuous within each quad."""
        uv = self(points)
        wraps = np.ptp(uv[..., 0], axis=1) > 0.5
        uv[..., 0] += wraps[:, None] & (uv[..., 0] < 0.5)
        return uv


def bust_field(head, points):
    """Positive inside the ellipsoid that cuts the bust off below the neck."""
    below = np.maximum(head.neck[1] + 0.15 - points[:, 1], 0)
    width, depth = head.spec.bust
    return 1 - (points[:, 0] / width) ** 2 - (below / depth) ** 2


def neckline_field(head, points, lift=0.0):
    """Positive above the neckline, a tilted plane that drops toward the front."""
    x, y, z = points.T
    line = head.spec.neckline
    plane = head.neck[1] + line.height + lift - line.slope * (z - head.neck[2] - 0.1)
    # Never as far out as the arms, which dip below the plane too.
    return np.minimum(y - plane + line.dip * np.minimum(np.abs(x), 0.8) ** 2, 1.2 - np.abs(x))


def build(head):
    """The parts `face_skin` (moved by face units), `back_skin`, `cloth` and `collar`, and the skin's texture map."""
    skin_map = SkinMap(head)
    quads = head.skin_quads
    points = head.vertices[quads]
    near = (points[..., 1].max(1) > head.neck[1] - 1.6) & (np.abs(points[..., 0]).max(1) < 3.0)
    moving = head.moving_skin()

    def trunk(selection):
        part = Part.from_quads(quads[selection], head.count, skin_map.corners(head.vertices[quads[selection]]))
        return part.clipped(bust_field(head, part.blend @ head.vertices))

    def above(part, overlap):
        return part.clipped(neckline_field(head, part.blend @ head.vertices) + overlap)

    parts = {"face_skin": head.fill(above(trunk(near & moving), 0.1), head.units),
             "back_skin": head.fill(above(trunk(near & ~moving), 0.1))}
    _still_seam(parts["face_skin"], parts["back_skin"])
    whole = trunk(near)
    cloth = head.fill(whole.clipped(-neckline_field(head, whole.blend @ head.vertices)))
    field = -neckline_field(head, cloth.positions)
    cloth.positions = cloth.positions + cloth.normals * (0.018 + 0.035 * smoothstep(0, 0.25, field))[:, None]
    loops = sorted(cloth.boundary_loops(), key=lambda loop: cloth.positions[loop, 1].mean())
    parts["collar"] = _collar(head, cloth, loops.pop())
    parts["cloth"] = _joined(cloth, _close_rim(cloth, loops))
    return parts, skin_map


def _still_seam(face, back):
    """The last row of moving skin keeps its normals in every pose, so that no seam shows beside the still skin."""
    still = {tuple(p) for p in np.round(back.positions, 5)}
    seam = np.array([tuple(p) in still for p in np.round(face.positions, 5)])
    for offset, turn in face.deltas.values():
        offset[seam] = 0
        turn[seam] = 0


def _close_rim(cloth, loops):
    """A rounded underside over the open loops of the bust: nobody sees inside."""
    vertices, triangles, weights = [], [], []
    for loop in loops:
        ring = cloth.positions[loop]
        center = np.array([0, ring[:, 1].min() - 0.12, ring[:, 2].mean()])
        rows = []
        for t in (0.0, 0.06, 0.2, 0.4, 0.65, 0.99):
            row = ring + t * (center - ring)
            row[:, 1] = ring[:, 1] + np.sin(t * np.pi / 2) * (center[1] - ring[:, 1])
            rows.append(row)
        start, n = len(vertices), len(loop)
        vertices += [v for row in rows for v in row]
        weights += list(np.tile(cloth.weights[loop], (len(rows), 1)))
        index = start + np.arange(len(rows) * n).reshape(len(rows), n)
        nxt = np.roll(index, -1, 1)
        triangles.append(split_quads(np.stack([nxt[:-1], index[:-1], index[1:], nxt[1:]], -1).reshape(-1, 4)))
    cap = Part(None, np.concatenate(triangles))
    cap.positions, cap.weights = np.array(vertices), np.array(weights)
    cap.normals = vertex_normals(cap.positions, cap.triangles)
    return cap


def _joined(first, second):
    part = Part(None, np.concatenate([first.triangles, second.triangles + len(first.positions)]))
    for name in ("positions", "normals", "weights"):
        setattr(part, name, np.concatenate([getattr(first, name), getattr(second, name)]))
    return part


def _smooth_loop(points, count, blur):
    """A closed curve resampled to `count` points and rounded by a periodic blur (fraction of its length)."""
    closed = np.vstack([points, points[:1]])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.linspace(0, length[-1], count, endpoint=False)
    even = np.stack([np.interp(at, length, closed[:, k]) for k in range(3)], 1)
    frequency = np.fft.fftfreq(count)[:, None] * count
    return np.fft.ifft(np.fft.fft(even, axis=0) * np.exp(-(frequency * blur) ** 2), axis=0).real


def _collar(head, cloth, loop):
    """A ribbed band swept along the neckline, and where the spec asks for it an undershirt band inside it."""
    bands = head.spec.neckline.bands
    count = 96
    curve = _smooth_loop(cloth.positions[loop], count, 0.05)
    along = unit(np.roll(curve, -1, 0) - np.roll(curve, 1, 0))
    if along[np.argmax(curve[:, 2]), 0] < 0:
        curve, along = curve[::-1], -along[::-1]
    normals = _smooth_loop_field(cloth, curve)
    normals = unit(normals - along * (normals * along).sum(1, keepdims=True))
    up = unit(np.cross(normals, along))
    up *= np.sign(up[:, 1:2].mean())
    parts = []
    nearest = np.argmin(((curve[:, None] - cloth.positions[None]) ** 2).sum(2), 1)
    for band in bands:
        # Half-round profile from below the outside edge over the top to the inside.
        theta = np.radians([-60, -25, 10, 45, 80, 115, 150, 180])
        out = band.offset + band.thickness * np.cos(theta)
        rise = band.rise + band.height * np.sin(theta)
        grid = curve[:, None] + normals[:, None] * out[None, :, None] + up[:, None] * rise[None, :, None]
        rows = len(theta)
        index = np.arange(count * rows).reshape(count, rows)
        nxt = np.roll(index, -1, 0)
        quads = np.stack([index[:, :-1], nxt[:, :-1], nxt[:, 1:], index[:, 1:]], -1).reshape(-1, 4)
        part = Part(None, split_quads(quads))
        part.positions = grid.reshape(-1, 3)
        part.normals = vertex_normals(part.positions, part.triangles)
        if (part.normals * np.repeat(normals, rows, 0))[rows // 3::rows].sum() < 0:
            part.triangles = part.triangles[:, ::-1]
            part.normals = -part.normals
        part.weights = np.repeat(cloth.weights[nearest], rows, 0)
        ribs = 1 - 0.10 * (np.arange(count) % 2)
        part.colors = np.repeat(ribs, rows)[:, None] * np.array(band.color)[None] * \
            np.tile(smoothstep(-1.4, 0.6, np.sin(theta)), count)[:, None]
        parts.append(part)
    joined = parts[0]
    for other in parts[1:]:
        colors = np.concatenate([joined.colors, other.colors])
        joined = _joined(joined, other)
        joined.colors = colors
    return joined


def _smooth_loop_field(cloth, curve):
    """Outward directions along a curve on the cloth, averaged over its surroundings."""
    distance = ((curve[:, None] - cloth.positions[None]) ** 2).sum(2)
    weight = np.exp(-distance / 0.12 ** 2)
    return unit(weight @ cloth.normals)
