"""The painted skin: tone, lips, brows, beard, freckles, occlusion; roughness and fine relief."""

import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import distance_transform_edt, gaussian_filter

from mesh import smoothstep, unit
from noise import Noise
from texture import draw_strokes, mix, normal_map, rasterize, to_bytes


class SkinPainter:
    """Paints the maps of one head's skin, texel by texel from positions in space."""

    def __init__(self, head, skin_map, parts, occlusion, scalp, size):
        self.head, self.map, self.size = head, skin_map, size
        self.random = np.random.default_rng(17)
        fields = np.stack([head.lip, head.lid, head.ear, occlusion], 1)
        attributes = [np.hstack([p.positions, p.normals, p.blend @ fields]) for p in parts]
        outermost = [np.hypot(p.positions[:, 0], p.positions[:, 2] - skin_map.axis_z) for p in parts]
        buffer, covered = rasterize(parts, attributes, size, outermost)
        buffer[..., 9] = gaussian_filter(buffer[..., 9], 1.2)
        # Only covered texels are painted; `_image` fills the others with the nearest colour.
        self.covered = np.nonzero(covered.ravel())[0]
        self.fill = distance_transform_edt(~covered, return_distances=False, return_indices=True)
        buffer = buffer.reshape(-1, buffer.shape[-1])[self.covered]
        self.points, self.normals = buffer[:, :3], buffer[:, 3:6]
        self.lip, self.lid, self.ear, self.light = buffer[:, 6:].T
        # Depth of the face's front, to lay strokes that are designed in the frontal plane onto the skin.
        front = np.concatenate([p.positions[p.normals[:, 2] > 0.05] for p in parts])
        front = front[(front[:, 2] > head.skull[2] + 0.2) & (front[:, 1] > head.chin[1] - 0.3)]
        self.depth = LinearNDInterpolator(front[:, :2], front[:, 2])
        self.scalp = scalp(self.points) if scalp else np.zeros(len(self.points))
        self.coarse, self.fine, self.grain = Noise(1), Noise(2), Noise(3)

    def paint(self):
        """Base colour, metallic-roughness and normal maps as byte images."""
        spec = self.head.spec
        brows = self._brows()
        beard, beard_grey, beard_shade = self._beard()
        color = self._tone()
        color = self._lips(color)
        if spec.freckles:
            color = mix(color, color * [0.80, 0.66, 0.58], self._freckles() * 0.55)
        under = smoothstep(0.0, 1.0, self._texels(gaussian_filter(self._image(brows), 3.0)))
        color = mix(color, np.array(spec.brows.color) * 0.6 + color * 0.4, np.clip(under * 0.9, 0, 0.75))
        color = mix(color, spec.brows.color, brows * 0.92)
        if spec.beard:
            shade = np.array(spec.beard.color) * 0.55 + color * 0.45
            color = mix(color, shade, beard_shade * spec.beard.shade)
            color = mix(color, spec.beard.color, beard * 0.85)
            color = mix(color, [168, 162, 156], beard_grey * 0.75)
        color = mix(color, np.array(spec.hair_color) * 0.62, self.scalp)
        color = self._shade(color)
        hair = np.clip(brows + beard + beard_grey + 0.5 * beard_shade + self.scalp, 0, 1)
        return to_bytes(self._image(color)), self._roughness(hair), self._relief(brows + beard + beard_grey)

    def _image(self, values):
        """Per-texel values as a square image."""
        image = np.zeros((self.size ** 2, *values.shape[1:]), values.dtype)
        image[self.covered] = values
        return image.reshape(self.size, self.size, *values.shape[1:])[tuple(self.fill)]

    def _texels(self, image):
        """The inverse of `_image`."""
        return image.reshape(self.size ** 2, *image.shape[2:])[self.covered]

    def _ball(self, center, radius, power=2):
        distance = np.linalg.norm((self.points - np.asarray(center)) / np.asarray(radius), axis=1)
        return np.exp(-distance ** power)

    def _tone(self):
        head, spec, p = self.head, self.head.spec, self.points
        color = np.tile(np.array(spec.skin, np.float32), (len(p), 1))
        color *= 1 + 0.04 * self.coarse.layered(p, 2.2)[:, None] + 0.02 * self.fine.layered(p, 14)[:, None]
        nose, eye_y = head.nose_tip, head.eye_y

        def flush(amount):
            return mix(color, color * [1.03, 0.80, 0.77], np.clip(amount * spec.blush, 0, 1))

        for side in (1, -1):
            color = flush(0.50 * self._ball([side * 0.46, (nose[1] + eye_y) / 2 - 0.12, nose[2] - 0.45],
                                            [0.28, 0.22, 0.5]))
        color = flush(0.42 * self._ball(nose, [0.20, 0.16, 0.25]))
        color = flush(0.38 * self.ear)
        color = flush(0.28 * self._ball(head.chin, [0.25, 0.18, 0.3]))
        # Forehead and bridge of the nose a little lighter and yellower, sockets cooler and darker.
        bright = self._ball([0, eye_y + 0.42, nose[2]], [0.45, 0.25, 0.5]) + self._ball(
            [0, (eye_y + nose[1]) / 2, nose[2]], [0.07, 0.25, 0.4])
        color = mix(color, color * [1.05, 1.05, 1.0], np.clip(bright, 0, 1) * 0.7)
        for side in "LR":
            x, y, z = head.eye_centers[side]
            socket = self._ball([x, y + 0.01, z + 0.1], [0.27, 0.17, 0.4], 4)
            color = mix(color, color * [0.88, 0.78, 0.77], np.clip(0.5 * socket, 0, 1))
            crease = self._ball([x, y, z + 0.14], [0.19, 0.10, 0.25], 6) * self.lid
            color = mix(color, color * [0.80, 0.64, 0.62], np.clip(0.45 * crease, 0, 1))
        return color

    def _lips(self, color):
        head, spec, p = self.head, self.head.spec, self.points
        amount = smoothstep(0.18, 0.80, self.lip)
        crease = self.fine(p * [1, 0.22, 0.22], 26)
        tint = np.array(spec.lips) * (1 + 0.07 * crease + 0.05 * self.coarse.layered(p, 9))[:, None]
        seam = np.exp(-((p[:, 1] - head.mouth_center[1]) / 0.035) ** 2) * amount
        upper = smoothstep(0.0, 0.04, p[:, 1] - head.mouth_center[1])
        tint = tint * (1 - 0.12 * upper - 0.25 * seam)[:, None]
        return mix(color, tint, amount * spec.lip_opacity)

    def _freckles(self):
        """Small spots over nose and cheeks."""
        head, size = self.head, self.size
        n = head.spec.freckles
        x = self.random.normal(0, 0.36, n)
        y = (head.nose_tip[1] + head.eye_y) / 2 - 0.02 + self.random.normal(0, 0.11, n) - 0.10 * np.abs(x)
        uv, keep = self._on_front(x, y)
        spots = np.zeros((size, size))
        at = np.round(uv[keep] * size).astype(int) % size
        np.add.at(spots, (at[:, 1], at[:, 0]), self.random.uniform(0.3, 1.0, keep.sum()))
        return self._texels(np.clip(gaussian_filter(spots, 1.5) * 12, 0, 1))

    def _on_front(self, x, y):
        z = self.depth(np.stack([x, y], -1))
        keep = np.isfinite(z)
        return self.map(np.stack([x, y, np.where(keep, z, 0)], -1)), keep

    def _stroke_field(self, x, y, angle, length, width, opacity, bend):
        """Hairs rooted at (x, y) in the frontal plane, leaving at `angle` and bending by `bend` (radians)."""
        steps = np.linspace(0, 1, 6)
        heading = angle[:, None] + bend[:, None] * steps
        dx = np.cumsum(np.cos(heading), 1) * length[:, None] / 6
        dy = np.cumsum(np.sin(heading), 1) * length[:, None] / 6
        uv, keep = self._on_front(x[:, None] + dx - dx[:, :1], y[:, None] + dy - dy[:, :1])
        rows = keep.all(1)
        return self._texels(draw_strokes(self.size, uv[rows], np.asarray(width)[rows], np.asarray(opacity)[rows]))

    def _brows(self):
        head, brow, random = self.head, self.head.spec.brows, self.random
        n = int(420 * brow.density)
        fields = []
        for side in (1, -1):
            t = np.sort(random.beta(1.0, 1.15, n))
            across = random.uniform(-1, 1, n)
            thickness = brow.thickness * np.interp(t, [0, 0.12, 0.5, 0.8, 1], [0.50, 0.90, 0.9, 0.55, 0.12])
            x = 0.125 + 0.385 * t
            center = head.eye_y + brow.rise + brow.arch * np.sin(t * np.pi * 0.72) - 0.05 * np.clip(t - 0.72, 0, 1)
            y = center + across * thickness
            lean = np.interp(t, [0, 0.15, 0.5, 1], [1.15, 0.75, 0.38, -0.25]) - 0.45 * across * smoothstep(0.1, 0.5, t)
            angle = lean + random.normal(0, 0.10, n)
            length = np.interp(t, [0, 0.3, 1], [0.060, 0.085, 0.065]) * random.uniform(0.7, 1.15, n)
            opacity = np.interp(t, [0, 0.12, 1], [0.30, 0.95, 0.9]) * random.uniform(0.6, 1.0, n)
            width = random.uniform(1.2, 2.2, n) * self.size / 1536
            bend = -0.35 * np.ones(n)
            if side < 0:
                x, angle, bend = -x, np.pi - angle, -bend
            fields.append(self._stroke_field(x, y, angle, length, width, opacity, bend))
        return np.maximum(*fields)

    def _beard(self):
        """Dark hairs, grey hairs and the shade under them."""
        none = np.zeros(len(self.points))
        if not self.head.spec.beard:
            return none, none, none
        density = beard_density(self.head, self.points) * (1 - smoothstep(0.15, 0.45, self.lip))
        size, random = self.size, self.random
        candidates = np.nonzero(density > 0.05)[0]
        roots = random.choice(candidates, 9000)
        roots = roots[random.random(len(roots)) < density[roots]]
        # Hairs lie in the skin, fall with it, and are equally long wherever the texture is stretched.
        down = np.array([0, -1.0, 0.25]) + random.normal(0, 0.35, (len(roots), 1)) * [1, 0, 0]
        normals = self.normals[roots]
        down = unit(down - normals * (down * normals).sum(1, keepdims=True))
        reach = random.uniform(0.022, 0.048, len(roots))[:, None, None] * np.linspace(0, 1, 4)[:, None]
        lines = self.map(self.points[roots][:, None] + down[:, None] * reach)
        grey = random.random(len(roots)) < self.head.spec.beard.grey * self._grey_zone(self.points[roots])
        width = random.uniform(0.8, 1.6, len(roots)) * size / 1536
        value = random.uniform(0.5, 1.0, len(roots))
        maps = [self._texels(draw_strokes(size, lines[rows], width[rows], value[rows])) for rows in (~grey, grey)]
        return maps[0], maps[1], density

    def _grey_zone(self, points):
        """Grey comes first beside the chin and at the sideburns."""
        beside = np.exp(-((np.abs(points[:, 0]) - 0.20) / 0.13) ** 2)
        return np.clip(0.35 + 1.3 * beside * smoothstep(0.1, -0.1, points[:, 1] - self.head.mouth_center[1]), 0, 2)

    def _shade(self, color):
        """Occlusion with a warm tint, as light scatters in skin."""
        head = self.head
        neck = 1 - smoothstep(head.chin[1] - 0.15, head.chin[1] + 0.05, self.points[:, 1])
        open_sky = np.clip(self.light / 0.66, 0, 1) ** 0.8
        dark = (1 - open_sky) * (1 - 0.5 * neck)
        below = self._ball([0, head.nose_tip[1] - 0.10, head.nose_tip[2] - 0.18], [0.20, 0.10, 0.22], 4)
        nostril = below * smoothstep(0.2, 0.8, -self.normals[:, 1])
        return color * (1 - (1 - np.array([0.42, 0.31, 0.29])) * dark[:, None]) * (1 - 0.3 * nostril)[:, None]

    def _roughness(self, hair, factor=4):
        """Oily forehead and nose, moist lips, matte hair; green channel as glTF asks."""
        head, size = self.head, self.size
        rough = 0.56 + 0.05 * self.fine.layered(self.points, 18)
        shine = self._ball(head.nose_tip, [0.15, 0.2, 0.25]) + 0.6 * self._ball(
            [0, head.eye_y + 0.45, head.nose_tip[2]], [0.5, 0.22, 0.6])
        rough -= 0.10 * np.clip(shine, 0, 1)
        rough = rough + (0.36 - rough) * smoothstep(0.3, 0.8, self.lip)
        rough = rough + (0.92 - rough) * np.clip(hair, 0, 1)
        rough = np.maximum(rough, 0.9 * (self.light < 0.25))
        grid = self._image(rough).reshape(size // factor, factor, size // factor, factor).mean((1, 3))
        image = np.zeros((*grid.shape, 3), np.uint8)
        image[..., 1] = np.clip(grid * 255, 0, 255)
        return image

    def _relief(self, hair):
        """Pores, lip creases and hairs as a normal map."""
        pores = self.grain(self.points, 34) + 0.6 * self.fine(self.points, 70)
        crease = self.fine(self.points * [1, 0.22, 0.22], 30) * smoothstep(0.3, 0.8, self.lip)
        height = 0.10 * pores * (1 - smoothstep(0.3, 0.8, self.lip)) + 0.55 * crease + 0.9 * hair
        return normal_map(self._image(height), 0.30)[::2, ::2]


def beard_density(head, points):
    """Where a trimmed beard grows, 0..1: moustache, chin, jaw line and sideburns."""
    x, y, z = points.T
    mouth = head.mouth_center
    angle = np.abs(np.degrees(np.arctan2(x, z - head.skull[2] - 0.25)))
    top = mouth[1] + np.interp(angle, [0, 10, 17, 24, 32, 45, 58, 68, 78, 86],
                               [-0.145, -0.145, -0.13, 0.0, -0.02, -0.03, 0.10, 0.30, 0.62, 0.75])
    bottom = head.chin[1] + np.interp(angle, [0, 30, 50, 70, 86], [-0.24, -0.18, -0.02, 0.16, 0.40])
    edge = 0.045
    beard = smoothstep(-edge, edge, top - y) * smoothstep(-edge, edge * 1.6, y - bottom)
    beard *= 1 - smoothstep(82, 88, angle)
    soul = np.exp(-(x / 0.05) ** 2) * smoothstep(0.0, 0.03, mouth[1] - 0.06 - y) * (y > mouth[1] - 0.2)
    lip_top = mouth[1] + 0.075
    arch = np.abs(x) / 0.30
    moustache = smoothstep(0, 0.03, y - (lip_top - 0.05 - 0.10 * arch ** 2)) * \
        smoothstep(0, 0.03, lip_top + 0.105 - 0.13 * arch ** 2 - y) * (1 - smoothstep(0.27, 0.36, np.abs(x)))
    philtrum = 1 - 0.55 * np.exp(-(x / 0.03) ** 2)
    density = np.clip(np.maximum.reduce([beard, 0.8 * soul, moustache * philtrum]), 0, 1) * (z > head.skull[2] - 0.1)
    # The corners of the mouth stay bare.
    return density * smoothstep(0.035, 0.08, from_mouth_corner(head, points))


def from_mouth_corner(head, points):
    """Distance from the nearer corner of the mouth."""
    return np.linalg.norm(points[:, None] - head.mouth_corners, axis=2).min(1)
