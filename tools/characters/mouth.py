"""Inside of the mouth, teeth, and the tongue with Audio2Face's 16 tongue shapes."""

import numpy as np

from anatomy import JAW_UNITS
from mesh import Part, smoothstep, subdivided, unit, vertex_normals
from source import LOWER_TEETH, UPPER_TEETH
from texture import mix

# How far along the dental arch teeth are kept (decimetres from the middle). Those behind would only shimmer beside the
# lips, and the lower ones poke through them.
UPPER_ARCH, LOWER_ARCH = 0.35, 0.28
TONGUE_UNITS = (*JAW_UNITS, "tongueOut")
TONGUE_SHAPES = ("tongueTipUp", "tongueTipDown", "tongueTipLeft", "tongueTipRight", "tongueRollUp", "tongueRollDown",
                 "tongueRollLeft", "tongueRollRight", "tongueUp", "tongueDown", "tongueLeft", "tongueRight",
                 "tongueIn", "tongueStretch", "tongueWide", "tongueNarrow")


def build(head):
    """The parts `mouth`, `upper_teeth`, `lower_teeth` and `tongue`."""
    mouth = head.fill(Part.from_quads(head.mouth_quads, head.count), head.units)
    upper = _teeth(head, "helper-upper-teeth", UPPER_TEETH, UPPER_ARCH, row=0)
    lower = _teeth(head, "helper-lower-teeth", LOWER_TEETH, LOWER_ARCH, row=1)
    head.fill(upper)
    head.fill(lower, TONGUE_UNITS)
    still = np.zeros_like(lower.positions)
    lower.deltas.update({name: (still, still) for name in TONGUE_SHAPES})
    return {"mouth": mouth, "upper_teeth": upper, "lower_teeth": lower, "tongue": _tongue(head)}


def _teeth(head, group, rows, arch, row):
    """Teeth strip with a layout of its own: angle around the dental arch, height; the lower row in the lower half."""
    quads = head.source.quads(group)
    low, high = head.vertices[rows].min(0), head.vertices[rows].max(0)
    corner = head.vertices[quads]
    angle = np.arctan2(corner[..., 0], corner[..., 2] - low[2] + 0.02)
    height = (high[1] - corner[..., 1]) / (high[1] - low[1])
    uv = np.stack([0.5 + angle / np.pi * 0.98, 0.02 + 0.5 * row + 0.46 * height], -1)
    part = Part.from_quads(quads, head.count, uv)
    return part.clipped(arch - _along_arch(head, rows, part.blend @ head.vertices))


def _along_arch(head, rows, points):
    """Distance from the middle of the dental arch, about as long as the arc."""
    front = head.vertices[rows, 2].max()
    return np.hypot(points[:, 0], np.maximum(front - points[:, 2], 0))


def _tongue(head):
    part, _ = subdivided(head.source.quads("helper-tongue"), head.count, steps=1)
    head.fill(part)
    tri = part.triangles
    part.normals = vertex_normals(part.positions, tri)
    moved = {name: part.positions + part.blend @ head.units[name] for name in TONGUE_UNITS}
    axis = TongueAxis(part.positions)
    moved.update({name: axis.shape(part.positions, name) for name in TONGUE_SHAPES})
    part.deltas = {name: (p - part.positions, vertex_normals(p, tri) - part.normals) for name, p in moved.items()}
    return part


class TongueAxis:
    """The tongue's mid line from root (s = 0) to tip (s = 1), bent and scaled like a flexible rod.

    Every shape is a set of smooth functions of s that are zero at the root, which therefore stays fixed. Angles are in
    degrees. Weight 1 is a plausible extreme of a real tongue.
    """

    def __init__(self, points, samples=64):
        z = points[:, 2]
        self.root, self.tip = z.min(), z.max()
        self.s = np.linspace(0, 1, samples)
        at = self.root + self.s * (self.tip - self.root)
        weight = np.exp(-((z[None] - at[:, None]) / 0.07) ** 2)
        self.line = np.stack([np.zeros(samples), weight @ points[:, 1] / weight.sum(1), at], 1)

    def shape(self, points, name):
        """The tongue's points with shape `name` at weight 1."""
        s = self.s
        tip, front, whole = smoothstep(0.45, 1.0, s), smoothstep(0.35, 1.0, s), smoothstep(0.12, 0.9, s)
        pitch = {"tongueTipUp": 62 * tip, "tongueTipDown": -48 * tip, "tongueRollUp": 150 * front,
                 "tongueRollDown": -110 * front, "tongueUp": 30 * whole * (1 - 1.9 * smoothstep(0.55, 1, s))}
        yaw = {"tongueTipLeft": 40 * tip, "tongueTipRight": -40 * tip, "tongueLeft": 26 * whole,
               "tongueRight": -26 * whole}
        twist = {"tongueRollLeft": 42 * whole, "tongueRollRight": -42 * whole}
        stretch = {"tongueIn": 1 - 0.26 * smoothstep(0.1, 0.5, s), "tongueStretch": 1 + 0.34 * smoothstep(0.2, 0.7, s)}
        wide = {"tongueWide": 1 + 0.24 * front, "tongueNarrow": 1 - 0.30 * front, "tongueStretch": 1 - 0.16 * front,
                "tongueIn": 1 + 0.06 * front}
        thick = {"tongueWide": 1 - 0.18 * front, "tongueNarrow": 1 + 0.16 * front, "tongueStretch": 1 - 0.14 * front,
                 "tongueIn": 1 + 0.14 * smoothstep(0.1, 0.5, s)}
        lift = {"tongueUp": 0.05 * whole, "tongueDown": -0.075 * whole}
        zero, one = np.zeros_like(s), np.ones_like(s)
        return self._bend(points, pitch.get(name, zero), yaw.get(name, zero), twist.get(name, zero),
                          stretch.get(name, one), wide.get(name, one), thick.get(name, one), lift.get(name, zero))

    def _bend(self, points, pitch, yaw, twist, stretch, wide, thick, lift):
        step = np.diff(self.line, axis=0)
        middle = [(f[1:] + f[:-1]) / 2 for f in (pitch, yaw, stretch)]
        bent_step = np.einsum("nij,nj->ni", _rotation(middle[0], middle[1]), step) * middle[2][:, None]
        bent = np.vstack([self.line[:1], self.line[0] + np.cumsum(bent_step, 0)]) + lift[:, None] * [0, 1, 0]
        s = np.clip((points[:, 2] - self.root) / (self.tip - self.root), 0, 1)

        def at(values):
            return np.interp(s, self.s, values)

        def along(curve):
            return np.stack([at(curve[:, k]) for k in range(3)], 1)

        offset = (points - along(self.line)) * np.stack([at(wide), at(thick), np.ones_like(s)], 1)
        a = np.radians(at(twist))
        offset[:, :2] = np.stack([offset[:, 0] * np.cos(a) - offset[:, 1] * np.sin(a),
                                  offset[:, 0] * np.sin(a) + offset[:, 1] * np.cos(a)], 1)
        return along(bent) + np.einsum("nij,nj->ni", _rotation(at(pitch), at(yaw)), offset)


def _rotation(pitch, yaw):
    """Matrices that lift the tip by `pitch` and then turn it to the character's left by `yaw` (degrees)."""
    p, y = np.radians(pitch), np.radians(yaw)
    zero, one = np.zeros_like(p), np.ones_like(p)
    lift = np.stack([one, zero, zero, zero, np.cos(p), np.sin(p), zero, -np.sin(p), np.cos(p)], -1).reshape(-1, 3, 3)
    turn = np.stack([np.cos(y), zero, np.sin(y), zero, one, zero, -np.sin(y), zero, np.cos(y)], -1).reshape(-1, 3, 3)
    return turn @ lift


def paint_teeth(head, part, rows, upper, points):
    """Colours of teeth texels from their positions: single teeth by mean widths, gums, darker toward the back."""
    arc = _along_arch(head, rows, points)
    borders = np.array([0, 0.078, 0.140, 0.212, 0.280, 0.346, 0.445, 0.54] if upper
                       else [0, 0.050, 0.106, 0.170, 0.238, 0.306, 0.41, 0.51])
    near = np.abs(arc[:, None] - borders)
    gap = np.exp(-(near.min(1) / 0.007) ** 2)
    low, high = head.vertices[rows, 1].min(), head.vertices[rows, 1].max()
    # The gum line arches over every tooth.
    arch = 0.016 * (1 - np.minimum(near.min(1) / 0.035, 1) ** 1.5)
    height = (points[:, 1] - low) if upper else (high - points[:, 1])
    gum = smoothstep(0.088, 0.100, height + arch - 0.004) if upper else smoothstep(0.092, 0.104, height + arch)
    enamel = np.array([238, 231, 214.0]) * (1 - 0.10 * smoothstep(0.02, 0.09, height))[:, None]
    enamel = enamel * (1 - 0.42 * gap)[:, None]
    color = enamel * (1 - gum)[:, None] + np.array([168, 84, 80.0]) * gum[:, None]
    # The back teeth lie in the shade of the cheeks.
    return mix(np.array([40, 14, 13.0]), color, smoothstep(0.34, 0.14, arc) if upper else smoothstep(0.28, 0.12, arc))


def shade(head, parts, occlusion):
    """Vertex colours of the inner parts: occlusion of the opened mouth, fading to dark toward the throat."""
    lips = head.mouth_center[2]

    def depth(part, far, near, floor):
        return (floor + (1 - floor) * smoothstep(lips - far, lips - near, part.positions[:, 2]))[:, None]

    def light(part, floor, gain):
        ao = part.blend @ occlusion
        return np.clip(floor + gain * ao, 0, 1)[:, None]

    mouth, tongue = parts["mouth"], parts["tongue"]
    mouth.colors = np.array([0.40, 0.10, 0.09]) * light(mouth, 0.02, 1.5)
    tongue.colors = np.array([0.56, 0.17, 0.17]) * light(tongue, 0.42, 1.0) * depth(tongue, 0.75, 0.25, 0.35)
    groove = np.exp(-(tongue.positions[:, 0] / 0.035) ** 2) * np.clip(unit(tongue.normals)[:, 1], 0, 1)
    tongue.colors = tongue.colors * (1 - 0.18 * groove)[:, None]
    for name in ("upper_teeth", "lower_teeth"):
        parts[name].colors = np.ones(3) * light(parts[name], 0.45, 1.2)
