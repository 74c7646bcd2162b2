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


class Neckline:
    """The border between skin and clothes: a smooth closed curve around the neck.

    Its height is a smooth function of the direction seen from the neck's axis. Its distance from the axis is that of
    the skin, rounded so that it bridges collar bones and sinews as cloth does. Skin, cloth and collar all follow this
    curve and not the edges of the mesh.
    """

    SAMPLES = 112
    # Harmonics above this number fade away.
    SMOOTH = 4.5

    def __init__(self, head, triangles):
        self.bands = head.spec.neckline.bands
        self.axis = head.neck + [0, 0, 0.12]
        self.triangles = triangles
        front, side, back = (head.neck[1] + h for h in head.spec.neckline.heights)
        self.azimuth = np.linspace(-np.pi, np.pi, self.SAMPLES, endpoint=False)
        # The harmonics that pass through front, sides and back.
        self.height = ((front + back) / 2 + side + (front - back) * np.cos(self.azimuth)
                       + ((front + back) / 2 - side) * np.cos(2 * self.azimuth)) / 2

    def field(self, points):
        """Height (decimetres) of points above the neckline, negative under the clothes."""
        local = points - self.axis
        return points[:, 1] - np.interp(np.arctan2(local[:, 0], local[:, 2]), self.azimuth, self.height,
                                        period=2 * np.pi)

    def frame(self, rise):
        """Points `rise` decimetres above the neckline, their directions out of the skin and up along it."""
        curve, below, above = (self._over_skin(self.height + rise + r) for r in (0, -0.1, 0.1))
        along = unit(np.roll(curve, -1, 0) - np.roll(curve, 1, 0))
        outward = self._rounded(np.cross(along, above - below))
        outward = unit(outward - along * (outward * along).sum(1, keepdims=True))
        return curve, outward, np.cross(outward, along)

    def _over_skin(self, height):
        """A smooth curve at the given heights that nowhere sinks into the skin."""
        skin = self._distance(height)
        raised = skin
        for _ in range(40):
            smooth = self._rounded(raised[:, None])[:, 0]
            raised = raised + 0.5 * np.maximum(skin - smooth, 0)
        return self._at(smooth, height)

    def _at(self, distance, height):
        x, z = distance * np.sin(self.azimuth), distance * np.cos(self.azimuth)
        return np.stack([x, height, z + self.axis[2]], 1)

    def _rounded(self, values):
        harmonic = np.fft.fftfreq(self.SAMPLES)[:, None] * self.SAMPLES
        return np.fft.ifft(np.fft.fft(values, axis=0) * np.exp(-(harmonic / self.SMOOTH) ** 4), axis=0).real

    def _distance(self, height):
        """How far from the axis level rays, one per azimuth, first meet the skin."""
        start = self._at(0, height)
        rays = self._at(1, height) - start
        corner = self.triangles[:, 0]
        edge1, edge2 = (self.triangles[:, k] - corner for k in (1, 2))
        # Moeller-Trumbore for all rays and triangles.
        p = np.cross(rays[:, None], edge2[None])
        t = start[:, None] - corner
        q = np.cross(t, edge1)
        scale = 1 / (p * edge1).sum(2)
        u, v, distance = (p * t).sum(2) * scale, (q * rays[:, None]).sum(2) * scale, (q * edge2).sum(2) * scale
        hit = (u >= -1e-6) & (v >= -1e-6) & (u + v <= 1 + 1e-6) & (distance > 0)
        return np.where(hit, distance, np.inf).min(1)


def build(head):
    """The parts `face_skin` (moved by face units), `back_skin`, `cloth` and `collar`, and the skin's texture map."""
    skin_map = SkinMap(head)
    quads = head.skin_quads
    points = head.vertices[quads]
    near = (points[..., 1].max(1) > head.neck[1] - 1.6) & (np.abs(points[..., 0]).max(1) < 3.0)
    moving = head.moving_skin()
    neckline = Neckline(head, head.vertices[split_quads(quads[near])])

    def trunk(selection):
        part = Part.from_quads(quads[selection], head.count, skin_map.corners(head.vertices[quads[selection]]))
        return part.clipped(bust_field(head, part.blend @ head.vertices))

    def above(part, overlap):
        return part.clipped(neckline.field(part.blend @ head.vertices) + overlap)

    parts = {"face_skin": head.fill(above(trunk(near & moving), 0.1), head.units),
             "back_skin": head.fill(above(trunk(near & ~moving), 0.1))}
    _still_seam(parts["face_skin"], parts["back_skin"])
    whole = trunk(near)
    cloth = head.fill(whole.clipped(-neckline.field(whole.blend @ head.vertices)))
    depth = -neckline.field(cloth.positions)
    cloth.positions = cloth.positions + cloth.normals * (0.018 + 0.035 * smoothstep(0, 0.25, depth))[:, None]
    loops = sorted(cloth.boundary_loops(), key=lambda loop: cloth.positions[loop, 1].mean())
    parts["collar"] = _collar(neckline, cloth)
    # The highest open edge lies under the collar.
    parts["cloth"] = _joined(cloth, _close_rim(cloth, loops[:-1]))
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
    for name in ("positions", "normals", "weights", "colors"):
        if getattr(first, name) is not None:
            setattr(part, name, np.concatenate([getattr(first, name), getattr(second, name)]))
    return part


def _collar(neckline, cloth):
    """A ribbed band swept along the neckline, and where the spec asks for it an undershirt band inside it."""
    # Half-round profile from below the outside edge over the top to the inside.
    profile = np.radians([-60, -25, 10, 45, 80, 115, 150, 180])
    count, rows = neckline.SAMPLES, len(profile)
    ribs = 1 - 0.10 * (np.arange(count) % 2)
    index = np.arange(count * rows).reshape(count, rows)
    nxt = np.roll(index, -1, 0)
    quads = np.stack([index[:, :-1], nxt[:, :-1], nxt[:, 1:], index[:, 1:]], -1).reshape(-1, 4)
    collar = None
    for band in neckline.bands:
        curve, outward, up = neckline.frame(band.rise)
        out, rise = band.offset + band.thickness * np.cos(profile), band.height * np.sin(profile)
        part = Part(None, split_quads(quads))
        part.positions = (curve[:, None] + outward[:, None] * out[:, None] + up[:, None] * rise[:, None]).reshape(-1, 3)
        part.normals = vertex_normals(part.positions, part.triangles)
        near = np.exp(-((curve[:, None] - cloth.positions[None]) ** 2).sum(2) / 0.12 ** 2)
        part.weights = np.repeat(near @ cloth.weights / near.sum(1, keepdims=True), rows, 0)
        part.colors = np.outer(ribs, smoothstep(-1.4, 0.6, np.sin(profile))).reshape(-1, 1) * np.array(band.color)
        collar = part if collar is None else _joined(collar, part)
    return collar
