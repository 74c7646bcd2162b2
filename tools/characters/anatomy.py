"""One character's head in source units: shape, joints, skin weights, face units and landmarks."""

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_matrix

from mesh import smoothstep, split_quads, unit, vertex_normals
from source import BODY, EYES, LASHES, LOWER_TEETH, TONGUE, UPPER_TEETH

# Joint name, index of the parent. All joints have identity rotation at rest: +X opens the jaw, +Y turns an eye to the
# character's left, +X turns it down.
JOINTS = [("bust", -1), ("neck", 0), ("head", 1), ("jaw", 2), ("eye_L", 2), ("eye_R", 2),
          ("tongue_01", 3), ("tongue_02", 6), ("tongue_03", 7)]
JOINT = {name: i for i, (name, _) in enumerate(JOINTS)}

# MakeHuman bones that map onto a joint of ours; every other bone follows its nearest listed ancestor.
BONE_JOINT = {"neck01": "neck", "neck02": "neck", "neck03": "neck", "head": "head", "jaw": "jaw", "eye.L": "eye_L",
              "eye.R": "eye_R", "tongue00": "jaw", "tongue01": "tongue_01", "tongue02": "tongue_02",
              "tongue03": "tongue_03", "tongue04": "tongue_03"}

SIDES = {"L": "Left", "R": "Right"}
JAW_UNITS = ("jawOpen", "jawForward", "jawLeft", "jawRight")


def rigid_fit(points, delta):
    """Least-squares rotation and translation (Kabsch) that carry `points` to `points + delta`."""
    moved = points + delta
    pc, mc = points.mean(0), moved.mean(0)
    u, _, vt = np.linalg.svd((points - pc).T @ (moved - mc))
    flip = np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))])
    rotation = vt.T @ flip @ u.T
    return rotation, mc - rotation @ pc


class Head:
    """A shaped head. Arrays are indexed by base-mesh vertex."""

    def __init__(self, source, spec):
        self.source = source
        self.spec = spec
        self.units = source.face_units()
        self.vertices = self._shape()
        self.count = len(self.vertices)
        self._soften_cheeks()
        everything = [source.quads(g) for g in source.faces if not g.startswith("joint")]
        self.triangles = split_quads(np.concatenate(everything))
        self._regions()
        self._seal_lips()
        self._seal_corners()
        self._landmarks()
        self._rigid_parts()
        self._weights()
        self.normals = vertex_normals(self.vertices, self.triangles)
        self.unit_normals = self._unit_normals()

    def cube(self, name):
        """Centre of one of the mesh's marker cubes."""
        return self.vertices[self.source.groups[name]].mean(0)

    def _shape(self):
        spec, source = self.spec, self.source
        shape = source.vertices.copy()
        sexes = [("female", spec.female), ("male", 1 - spec.female)]
        ages = [("young", 1 - spec.old), ("old", spec.old)]
        muscles = [("averagemuscle", 1 - spec.muscular), ("maxmuscle", spec.muscular)]
        weights = [("averageweight", 1 - spec.heavy), ("maxweight", spec.heavy)]
        for sex, sw in sexes:
            for age, aw in ages:
                for race, rw in spec.races.items():
                    if sw * aw * rw > 0:
                        shape += sw * aw * rw * source.shape_target(f"macrodetails/{race}-{sex}-{age}")
                for muscle, mw in muscles:
                    for weight, ww in weights:
                        if sw * aw * mw * ww > 0:
                            name = f"{sex}-{age}-{muscle}-{weight}"
                            k = sw * aw * mw * ww
                            shape += k * source.shape_target(f"macrodetails/universal-{name}")
                            shape += k * spec.ideal_proportions * source.shape_target(
                                f"macrodetails/proportions/{name}-idealproportions")
        for name, amount in spec.details.items():
            shape += amount * source.shape_target(name)
        # A trace of a face unit in the rest shape gives the neutral face a mood.
        for name, amount in spec.mood.items():
            shape += amount * self.units[name]
        return shape

    def _soften_cheeks(self):
        """Relaxes how the smile moves the cheeks, which else fold into a vertical crease; lips keep their motion."""
        quads = self.source.quads("body")
        edges = np.concatenate([quads[:, [k, (k + 1) % 4]] for k in range(4)])
        edges = np.concatenate([edges, edges[:, ::-1]])
        link = csr_matrix((np.ones(len(edges)), edges.T), shape=(self.count, self.count))
        neighbors = np.maximum(np.asarray(link.sum(1)), 1).reshape(-1, 1)
        corners = np.abs(self.vertices - self.cube("joint-mouth"))
        cheek = smoothstep(0.30, 0.42, corners[:, 0])[:, None]
        for name in ("mouthSmileLeft", "mouthSmileRight", "mouthDimpleLeft", "mouthDimpleRight"):
            for _ in range(6):
                self.units[name] += 0.6 * cheek * (link @ self.units[name] / neighbors - self.units[name])

    def _regions(self):
        source = self.source
        vertex, texture = source.faces["body"][:, :, 0], source.faces["body"][:, :, 1]
        uv = source.uvs[texture]
        inside = source.mask("inside-mouth", uv).mean(1) > 0.5
        self.mouth_quads, self.skin_quads = vertex[inside], vertex[~inside]
        outside = ~inside
        self.lip, self.lid, self.ear = (np.zeros(self.count) for _ in range(3))
        for region, mask in ((self.lip, "lips"), (self.lid, "eyelids"), (self.ear, "ears")):
            region[vertex[outside]] = source.mask(mask, uv[outside])

    def _seal_lips(self):
        """Closes the 0.1 to 0.3 mm slit of the base mesh: `mouthClose` lifts the lower lip alone when used a little.

        The amount is found from the nearest mid-sagittal pair of which jawOpen moves only the lower vertex.
        """
        drop = -self.units["jawOpen"][:, 1]
        middle = np.nonzero((np.abs(self.vertices[:, 0]) < 1e-3) & (self.lip > 0.0))[0]
        upper, lower = middle[drop[middle] < 0.05], middle[drop[middle] > 0.2]
        distance = np.linalg.norm(self.vertices[upper][:, None] - self.vertices[lower][None], axis=2)
        u, low = np.unravel_index(distance.argmin(), distance.shape)
        u, low = upper[u], lower[low]
        close = self.units["mouthClose"]
        gap = self.vertices[u, 1] - self.vertices[low, 1]
        overlap = 0.025
        amount = (gap + overlap) / (close[low, 1] - close[u, 1])
        self.vertices = self.vertices + max(amount, 0.0) * close

    def _seal_corners(self):
        """Closes what stays open between the lips beside the middle, where teeth would show at rest.

        The inner rims of the lips are where skin and mouth meet; each moves to the other, and its surroundings follow.
        """
        upper, lower = self._lip_rims()
        v, overlap = self.vertices, 0.014
        low, high = max(v[r, 0].min() for r in (upper, lower)), min(v[r, 0].max() for r in (upper, lower))
        x = np.linspace(low, high, 81)
        top, bottom = (np.stack([np.interp(x, v[r, 0], v[r, k]) for k in range(3)], 1) for r in (upper, lower))
        # Both rims overlap along a smooth line near the upper lip, which keeps the corners from sinking. At the very
        # corners they meet anyway.
        line = gaussian_filter1d(0.75 * top[:, 1] + 0.25 * bottom[:, 1], 12.0)
        inside = smoothstep(low, low + 0.05, x) * smoothstep(high, high - 0.05, x)
        drop = gaussian_filter1d(inside * np.maximum(top[:, 1] - line + overlap / 2, 0), 2.0)
        rise = gaussian_filter1d(inside * np.maximum(line + overlap / 2 - bottom[:, 1], 0), 2.0)
        near = np.unique(np.concatenate([self.skin_quads, self.mouth_quads]))
        near = near[np.linalg.norm(v[near] - v[upper].mean(0), axis=1) < 0.5]
        above, below = (np.linalg.norm(v[near][:, None] - rim[None], axis=2).min(1) for rim in (top, bottom))
        rise, drop = (np.interp(v[near, 0], x, amount, left=0, right=0) for amount in (rise, drop))
        shift = np.where(below < above, rise, -drop)
        v[near, 1] += shift * np.exp(-(np.minimum(above, below) / 0.09) ** 2)

    def _lip_rims(self):
        """Vertices of the upper and of the lower inner rim of the lips, each from the right corner to the left."""
        def edges(quads):
            return {tuple(sorted((q[k], q[k - 1]))) for q in quads.tolist() for k in range(4)}

        follow = {}
        for a, b in edges(self.skin_quads) & edges(self.mouth_quads):
            follow.setdefault(a, []).append(b)
            follow.setdefault(b, []).append(a)
        left = max(follow, key=lambda i: self.vertices[i, 0])
        right = min(follow, key=lambda i: self.vertices[i, 0])
        rims = []
        for step in follow[right]:
            rim = [right, step]
            while rim[-1] != left:
                rim.append(next(i for i in follow[rim[-1]] if i != rim[-2]))
            rims.append(np.array(rim))
        return sorted(rims, key=lambda rim: -self.units["jawOpen"][rim, 1].mean())

    def _landmarks(self):
        v = self.vertices
        skin = v[BODY]
        self.eye_centers = {s: self.cube(f"joint-{s.lower()}-eye") for s in "LR"}
        self.eye_y = self.eye_centers["L"][1]
        self.mouth_center = v[self.lip > 0.5].mean(0)
        self.mouth_corners = v[self._lip_rims()[0][[0, -1]]]
        middle = np.abs(skin[:, 0]) < 0.05

        def foremost(low, high):
            return skin[np.argmax(np.where(middle & (skin[:, 1] > low) & (skin[:, 1] < high), skin[:, 2], -9))]

        self.nose_tip = foremost(self.mouth_center[1] + 0.1, self.eye_y)
        self.chin = foremost(self.mouth_center[1] - 0.6, self.mouth_center[1] - 0.15)
        self.top = skin[:, 1].max()
        self.neck = self.cube("joint-neck") * [0, 1, 1]
        self.skull = self.cube("joint-head") * [0, 1, 1]
        # Middle of the cranium: origin of directions over the scalp.
        self.center = np.array([0, self.eye_y + 0.25, self.skull[2] + 0.35])

    def _rigid_parts(self):
        """Jaw pivot and eye rotations from the face units; moves teeth and tongue to where they belong."""
        v = self.vertices
        turn, shift = rigid_fit(v[LOWER_TEETH], self.units["jawOpen"][LOWER_TEETH])
        y, z = np.linalg.solve((np.eye(3) - turn)[1:, 1:], shift[1:])
        self.jaw_pivot = np.array([0, y, z])
        self.jaw_angle = np.degrees(np.arccos((np.trace(turn) - 1) / 2))
        fits = {unit_name: rigid_fit(v[LOWER_TEETH], self.units[unit_name][LOWER_TEETH]) for unit_name in JAW_UNITS}
        # The base mesh keeps the incisors hidden and close to the lips; a speaking face shows the upper edge.
        v[LOWER_TEETH] += [0, -0.022, -0.045]
        v[UPPER_TEETH] += [0, -0.020, -0.035]
        v[TONGUE] += [0, -0.012, -0.055]
        for unit_name, (rotation, offset) in fits.items():
            self.units[unit_name][LOWER_TEETH] = v[LOWER_TEETH] @ rotation.T + offset - v[LOWER_TEETH]
        self.units["mouthFunnel"][UPPER_TEETH] = 0
        self.eye_radius = float(np.median(np.linalg.norm(v[EYES["L"]] - self.eye_centers["L"], axis=1)))
        self.eye_turns = {f"eyeLook{way}{SIDES[s]}": (s, rigid_fit(v[EYES[s]], self.units[f"eyeLook{way}{SIDES[s]}"]
                                                                   [EYES[s]])[0])
                          for s in "LR" for way in ("Up", "Down", "In", "Out")}

    def _weights(self):
        bones, weights = self.source.bones, np.zeros((self.count, len(JOINTS)))
        for bone, rows in self.source.bone_weights.items():
            ancestor = bone
            while ancestor and ancestor not in BONE_JOINT:
                ancestor = bones[ancestor].get("parent")
            joint = JOINT[BONE_JOINT[ancestor]] if ancestor else JOINT["bust"]
            for index, weight in rows:
                weights[index, joint] += weight
        eyes = [JOINT["eye_L"], JOINT["eye_R"]]
        weights[BODY, JOINT["head"]] += weights[BODY][:, eyes].sum(1)
        weights[BODY, eyes[0]:eyes[1] + 1] = 0
        for rows, joint in ((LOWER_TEETH, "jaw"), (UPPER_TEETH, "head"), (LASHES, "head"), (EYES["L"], "eye_L"),
                            (EYES["R"], "eye_R")):
            weights[rows] = 0
            weights[rows, JOINT[joint]] = 1
        self.weights = weights / np.maximum(weights.sum(1, keepdims=True), 1e-9)
        place = {"bust": self.neck - [0, 0.6, 0], "neck": self.neck, "head": self.skull, "jaw": self.jaw_pivot,
                 "eye_L": self.eye_centers["L"], "eye_R": self.eye_centers["R"]}
        for k in (1, 2, 3):
            place[f"tongue_0{k}"] = self.cube(f"joint-tongue-{k}") * [0, 1, 1] + [0, -0.012, -0.055]
        self.joint_positions = np.array([place[name] for name, _ in JOINTS])

    def _unit_normals(self):
        """Normal change of every face unit. `mouthClose` corrects an open jaw, so its change is taken over jawOpen."""
        at = {name: vertex_normals(self.vertices + delta, self.triangles) for name, delta in self.units.items()}
        both = self.vertices + self.units["jawOpen"] + self.units["mouthClose"]
        change = {name: n - self.normals for name, n in at.items()}
        change["mouthClose"] = vertex_normals(both, self.triangles) - at["jawOpen"]
        return change

    def fill(self, part, units=()):
        """Positions, normals, weights and face-unit deltas of a part, straight from its blend of base vertices."""
        part.positions = part.blend @ self.vertices
        part.normals = unit(part.blend @ self.normals)
        part.weights = part.blend @ self.weights
        part.deltas = {u: (part.blend @ self.units[u], part.blend @ self.unit_normals[u]) for u in units}
        return part

    def moving_skin(self):
        """Skin quads that some face unit moves; the others need no morph targets."""
        moved = np.zeros(self.count, bool)
        for delta in self.units.values():
            moved |= np.linalg.norm(delta, axis=1) > 2e-4
        return moved[self.skin_quads].any(1)
