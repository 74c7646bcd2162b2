"""Generated eyeballs with a cornea, their painted iris, and the lashes."""

import numpy as np
from scipy.spatial import cKDTree

from anatomy import JOINT, JOINTS
from mesh import Part, smoothstep, split_quads, unit
from noise import Noise

# Polar angles of the eyeball's rings; the back of the ball is never seen and stays open.
RINGS = np.array([0, 4, 8, 12, 16, 19, 22, 25, 27.5, 30, 33, 38, 46, 58, 74, 95, 120.0])
SEGMENTS = 32
IRIS_DEGREES, PUPIL_DEGREES = 26.5, 10.0


def build(head):
    """The parts `eyes` (both eyeballs, with the eight eyeLook deltas) and `lashes`."""
    return {"eyes": _eyeballs(head), "lashes": _lashes(head)}


def _eyeballs(head):
    angle = np.radians(RINGS)
    radius = head.eye_radius * (1 + 0.055 * np.exp(-(RINGS / 17.0) ** 4))
    profile = np.stack([radius * np.sin(angle), radius * np.cos(angle)], 1)
    slope = np.gradient(profile, axis=0)
    normal = unit(np.stack([-slope[:, 1], slope[:, 0]], 1))
    normal[0] = [0, 1]
    around = 2 * np.pi * np.arange(SEGMENTS) / SEGMENTS
    ring = np.stack([np.cos(around), np.sin(around)], 1)

    def revolve(rows):
        flat = rows[:, None, :1] * ring[None]
        return np.concatenate([flat, np.broadcast_to(rows[:, None, 1:], (*flat.shape[:2], 1))], 2).reshape(-1, 3)

    local, normals = revolve(profile), revolve(normal)
    uv = 0.5 + 0.5 * (RINGS / 180)[:, None, None] * (ring * [1, -1])[None]
    index = np.arange(len(local)).reshape(len(RINGS), SEGMENTS)
    nxt = np.roll(index, -1, 1)
    quads = np.stack([index[:-1], index[1:], nxt[1:], nxt[:-1]], -1).reshape(-1, 4)
    count = len(local)
    part = Part(None, np.concatenate([split_quads(quads), split_quads(quads) + count]))
    part.positions = np.concatenate([local + head.eye_centers[s] for s in "LR"])
    part.normals = np.tile(normals, (2, 1))
    part.uv = np.tile(uv.reshape(-1, 2), (2, 1))
    part.weights = np.zeros((2 * count, len(JOINTS)))
    part.weights[:count, JOINT["eye_L"]] = 1
    part.weights[count:, JOINT["eye_R"]] = 1
    for name, (side, turn) in sorted(head.eye_turns.items()):
        rows = slice(0, count) if side == "L" else slice(count, None)
        offset, change = np.zeros_like(part.positions), np.zeros_like(part.positions)
        offset[rows], change[rows] = local @ turn.T - local, normals @ turn.T - normals
        part.deltas[name] = (offset, change)
    return part


def paint_iris(spec, size=320):
    """Polar map of the eyeball: pupil, fibrous iris with a dark limbal ring, veined white."""
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size * 2 - 1
    polar, turn = np.hypot(x, y) * 180, np.arctan2(y, x)
    noise = Noise(11)

    def layer(color, over, amount):
        return color * (1 - amount[..., None]) + np.asarray(over, float) * amount[..., None]

    def fibers(frequency, twist):
        angle = turn + twist * polar
        points = np.stack([np.cos(angle) * frequency + 40, np.sin(angle) * frequency + 40, polar * 0.06], -1)
        return noise(points.reshape(-1, 3), 1.0).reshape(size, size)

    white = np.array([233, 228, 222.0]) * np.ones((size, size, 1))
    white = layer(white, [214, 160, 148], smoothstep(40, 85, polar) * 0.6)
    white = layer(white, [196, 110, 100], np.clip(fibers(6, 0.01) - 0.35, 0, 1) * smoothstep(34, 60, polar) * 0.5)
    fiber = 0.6 * fibers(10, 0.0) + 0.4 * fibers(20, 0.002)
    iris = np.asarray(spec.eye_color, float) * (1 + 0.42 * fiber[..., None])
    iris = layer(iris, spec.eye_inner_color, (1 - smoothstep(PUPIL_DEGREES, PUPIL_DEGREES + 9, polar)) * 0.65)
    # Light enters from above and gathers in the lower half of the iris.
    iris = iris * (0.86 + 0.34 * smoothstep(-0.10, 0.12, y))[..., None]
    iris = layer(iris, np.asarray(spec.eye_color) * 0.22, smoothstep(IRIS_DEGREES - 6.5, IRIS_DEGREES, polar) * 0.9)
    color = layer(white, [120, 110, 108], (1 - smoothstep(IRIS_DEGREES, IRIS_DEGREES + 5, polar)) * 0.35)
    color = layer(color, iris, 1 - smoothstep(IRIS_DEGREES - 0.9, IRIS_DEGREES + 1.6, polar))
    color = layer(color, [9, 8, 8], 1 - smoothstep(PUPIL_DEGREES - 1.0, PUPIL_DEGREES + 1.2, polar))
    # Shade of the upper lid on the ball.
    color = color * (1 - 0.38 * smoothstep(0.02, 0.30, -y))[..., None]
    return np.clip(color, 0, 255).astype(np.uint8)


def _lashes(head):
    """MakeHuman's lash strips with strand coordinates: u along the lid, v from root to tip."""
    quads = np.concatenate([head.source.quads(g) for g in head.source.faces if "eyelashes" in g])
    part = head.fill(Part.from_quads(quads, head.count), head.units)
    skin = np.unique(head.skin_quads)
    distance, _ = cKDTree(head.vertices[skin]).query(part.positions)
    base = part.blend.indices
    upper = np.isin(base, np.concatenate([head.source.groups[f"helper-{s}-eyelashes-2"] for s in "lr"]))
    side = part.positions[:, 0] > 0
    center = np.where(side[:, None], head.eye_centers["L"], head.eye_centers["R"])
    local = part.positions - center
    along = np.arctan2(local[:, 0], local[:, 2] + 0.05) / np.pi * 4.0
    reach = np.where(upper, 0.060, 0.045)
    part.uv = np.stack([along, np.clip(distance / reach, 0.02, 0.98)], 1)
    part.colors = np.concatenate([np.ones((len(base), 3)), np.where(upper, 1.0, 0.10)[:, None]], 1)
    return part


def paint_lashes(width=256, height=64):
    """Tileable strip of curved, tapering lashes as white with alpha."""
    random = np.random.default_rng(5)
    v, u = np.mgrid[0:height, 0:width].astype(float)
    v /= height
    alpha = 0.85 * np.exp(-(v / 0.10) ** 2)
    for _ in range(30):
        root, lean, length = random.random() * width, random.normal(0, 9), random.uniform(0.6, 1.0)
        center = root + lean * v ** 1.5
        away = np.abs((u - center + width / 2) % width - width / 2)
        thick = 2.3 * (1 - v / length)
        alpha = np.maximum(alpha, np.clip(thick - away + 0.5, 0, 1) * (v < length) * (1 - 0.5 * v))
    rgba = np.full((height, width, 4), 255, np.uint8)
    rgba[..., 3] = np.clip(alpha * 255, 0, 255)
    return rgba

