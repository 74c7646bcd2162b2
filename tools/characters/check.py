"""Validates built characters without the code that built them: reads the .glb files back and measures them."""

import json
import struct

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

ARKIT = """browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft
cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight
eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft eyeWideRight
jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft mouthFrownRight
mouthFunnel mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight mouthPucker mouthRight
mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft mouthSmileRight mouthStretchLeft
mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft noseSneerRight tongueOut""".split()
TONGUE = """tongueTipUp tongueTipDown tongueTipLeft tongueTipRight tongueRollUp tongueRollDown tongueRollLeft
tongueRollRight tongueUp tongueDown tongueLeft tongueRight tongueIn tongueStretch tongueWide tongueNarrow""".split()
TONGUE_MESH = ["jawForward", "jawLeft", "jawOpen", "jawRight", "tongueOut", *TONGUE]
EYE_MESH = [n for n in ARKIT if n.startswith("eyeLook")]
JOINTS = ["bust", "neck", "head", "jaw", "eye_L", "eye_R", "tongue_01", "tongue_02", "tongue_03"]
MAX_BYTES = 4_000_000
COLLAR_ROWS = 8


class Glb:
    """A parsed .glb file."""

    def __init__(self, path):
        data = path.read_bytes()
        length = struct.unpack("<I", data[12:16])[0]
        self.size = len(data)
        self.doc = json.loads(data[20:20 + length])
        self.binary = data[28 + length:]

    def accessor(self, index):
        entry = self.doc["accessors"][index]
        width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}[entry["type"]]

        def read(view, count, component, columns):
            view = self.doc["bufferViews"][view]
            dtype = {5121: np.uint8, 5123: "<u2", 5125: "<u4", 5126: "<f4"}[component]
            return np.frombuffer(self.binary, dtype, count * columns, view["byteOffset"]).reshape(count, columns)

        values = np.zeros((entry["count"], width))
        if "bufferView" in entry:
            values[:] = read(entry["bufferView"], entry["count"], entry["componentType"], width)
        if "sparse" in entry:
            sparse = entry["sparse"]
            rows = read(sparse["indices"]["bufferView"], sparse["count"], sparse["indices"]["componentType"], 1)[:, 0]
            values[rows] = read(sparse["values"]["bufferView"], sparse["count"], entry["componentType"], width)
        return values

    def node(self, name):
        return next((n for n in self.doc["nodes"] if n.get("name") == name), None)

    def mesh(self, name):
        return next((m for m in self.doc["meshes"] if m["name"] == name), None)

    def primitive(self, mesh, material):
        """The primitive of a mesh with a material of this name."""
        for p in self.mesh(mesh)["primitives"]:
            if self.doc["materials"][p["material"]]["name"] == material:
                return p
        return None

    def morphed(self, mesh, material, **weights):
        """Positions of a primitive with morph weights applied."""
        p = self.primitive(mesh, material)
        names = self.mesh(mesh)["extras"]["targetNames"]
        points = self.accessor(p["attributes"]["POSITION"])
        for name, weight in weights.items():
            points = points + weight * self.accessor(p["targets"][names.index(name)]["POSITION"])
        return points


def lip_pair(glb):
    """The two mid-sagittal inner-lip vertices of the skin that jawOpen separates most."""
    rest = glb.morphed("face", "skin")
    opened = glb.morphed("face", "skin", jawOpen=1.0)
    drop = rest[:, 1] - opened[:, 1]
    middle = np.nonzero(np.abs(rest[:, 0]) < 2e-4)[0]
    upper, lower = middle[drop[middle] < 0.15 * drop.max()], middle[drop[middle] > 0.5 * drop.max()]
    distance = np.linalg.norm(rest[upper][:, None] - rest[lower][None], axis=2)
    i, k = np.unravel_index(distance.argmin(), distance.shape)
    return upper[i], lower[k], distance.min()


def lip_slit(glb, upper, lower):
    """Height that stays open between the lips in the middle of the mouth: negative where they overlap."""
    lowest, highest = np.inf, -np.inf
    for material in ("skin", "mouth"):
        rest, opened = (glb.morphed("face", material, jawOpen=w) for w in (0.0, 1.0))
        drop = rest[:, 1] - opened[:, 1]
        near = (np.abs(rest[:, 0]) < 2e-4) & (np.linalg.norm(rest - (upper + lower) / 2, axis=1) < 0.003)
        lowest = min(lowest, rest[near & (drop < 0.005), 1].min(initial=np.inf))
        highest = max(highest, rest[near & (drop > 0.02), 1].max(initial=-np.inf))
    return lowest - highest


def lid_gap(glb):
    """Largest vertical opening between upper and lower lid over the iris with both eyes closed, in metres."""
    joints = {n: glb.node(n)["translation"] for n in ("neck", "head", "eye_L")}
    center = np.array(joints["head"]) + np.array(joints["eye_L"])
    rest = glb.morphed("face", "skin")
    shut = glb.morphed("face", "skin", eyeBlinkLeft=1.0)
    moved = rest[:, 1] - shut[:, 1]
    near = (np.abs(rest[:, :2] - center[:2]).max(1) < 0.016) & (rest[:, 2] > center[2] + 0.006)
    upper = near & (moved > 0.6 * moved[near].max())
    gaps = []
    for x in np.linspace(-0.005, 0.005, 5):
        column = np.abs(rest[:, 0] - center[0] - x) < 0.0022
        top = shut[upper & column, 1]
        bottom = shut[near & column & ~upper & (rest[:, 1] < center[1]), 1]
        if len(top) and len(bottom):
            gaps.append(max(0.0, top.min() - bottom.max()))
    return max(gaps, default=np.nan)


def collar_turns(glb):
    """The collar's sharpest turn from one cross-section to the next, in degrees, and its largest asymmetry in metres.

    Collars are the last part of the body; their cross-sections have `COLLAR_ROWS` vertices each.
    """
    part = glb.mesh("body")["primitives"][-1]
    triangles = glb.accessor(part["indices"]).reshape(-1, 3).astype(int)
    points = glb.accessor(part["attributes"]["POSITION"])
    bands = connected_components(coo_matrix((np.ones(len(triangles) * 2), (triangles[:, [0, 1]].T.ravel(),
                                                                         triangles[:, [1, 2]].T.ravel()))))[1]
    turn, skew = 0.0, 0.0
    for band in np.unique(bands):
        ring = points[bands == band].reshape(-1, COLLAR_ROWS, 3).mean(1)
        step = np.roll(ring, -1, 0) - ring
        step /= np.linalg.norm(step, axis=1, keepdims=True)
        turn = max(turn, np.degrees(np.arccos(np.clip((step * np.roll(step, 1, 0)).sum(1), -1, 1))).max())
        mirrored = ring * [-1, 1, 1]
        skew = max(skew, np.linalg.norm(ring[:, None] - mirrored[None], axis=2).min(1).max())
    return turn, skew


def seen_teeth(glb, **weights):
    """How many points of the teeth can be seen from in front to far aside, with weights that leave the jaw alone."""
    teeth = []
    for mesh in ("upper_teeth", "tongue"):
        part = glb.primitive(mesh, "teeth")
        points = glb.accessor(part["attributes"]["POSITION"])
        corner = points[glb.accessor(part["indices"]).reshape(-1, 3).astype(int)]
        teeth += [corner.reshape(-1, 3), corner.mean(1), (corner + np.roll(corner, 1, 1)).reshape(-1, 3) / 2]
    teeth = np.unique(np.concatenate(teeth).round(6), axis=0)
    walls = []
    for material in ("skin", "mouth"):
        points = glb.morphed("face", material, **weights)
        part = glb.primitive("face", material)
        walls.append(points[glb.accessor(part["indices"]).reshape(-1, 3).astype(int)])
    culled = np.arange(len(walls[0]) + len(walls[1])) < len(walls[0])
    walls = np.concatenate(walls)
    near = np.linalg.norm(walls.mean(1) - teeth.mean(0), axis=1) < 0.045
    corner, culled = walls[near], culled[near]
    a, edge1, edge2 = corner[:, 0], corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    visible = np.zeros(len(teeth), bool)
    for yaw in np.radians(np.arange(-75, 76, 25)):
        for pitch in np.radians([-12, 0, 12]):
            toward = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
            # Moeller-Trumbore; skin hides only what lies behind its outer side.
            p = np.cross(toward, edge2)
            determinant = (p * edge1).sum(1)
            faces = np.abs(determinant) > 1e-15
            faces &= ~culled | (np.cross(edge1, edge2) @ toward > 0)
            t = teeth[:, None] - a[None, faces]
            q = np.cross(t, edge1[faces])
            scale = 1 / determinant[faces]
            u, v, along = (t * p[faces]).sum(2) * scale, q @ toward * scale, (q * edge2[faces]).sum(2) * scale
            visible |= ~((u >= 0) & (v >= 0) & (u + v <= 1) & (along > 1e-5)).any(1)
    return int(visible.sum())


def inspect(path):
    """A list of (what, value, passed)."""
    glb = Glb(path)
    rows = [("size", f"{glb.size / 1e6:.2f} MB", glb.size < MAX_BYTES)]
    vertices = triangles = morph_bytes = 0
    finite, empty = True, 0
    for mesh in glb.doc["meshes"]:
        names = mesh.get("extras", {}).get("targetNames", [])
        for p in mesh["primitives"]:
            count = glb.doc["accessors"][p["attributes"]["POSITION"]]["count"]
            vertices += count
            triangles += glb.doc["accessors"][p["indices"]]["count"] // 3
            morph_bytes += 48 * count * len(names)
            for index in p["attributes"].values():
                finite &= bool(np.isfinite(glb.accessor(index)).all())
            for target in p.get("targets", []):
                for index in target.values():
                    entry = glb.doc["accessors"][index]
                    empty += "bufferView" not in entry and entry.get("sparse", {}).get("count", 0) == 0
                    finite &= bool(np.isfinite(glb.accessor(index)).all())
    rows.append(("vertices / triangles", f"{vertices} / {triangles}", vertices > 0))
    rows.append(("morph memory in Bevy", f"{morph_bytes / 1e6:.1f} MB", morph_bytes < 24e6))
    rows.append(("values are finite", str(finite), finite))
    rows.append(("empty sparse accessors", str(empty), empty == 0))
    for mesh, expected in (("face", ARKIT), ("tongue", TONGUE_MESH), ("eyes", EYE_MESH)):
        names = glb.mesh(mesh)["extras"]["targetNames"]
        counts = {len(p["targets"]) for p in glb.mesh(mesh)["primitives"]}
        passed = sorted(names) == sorted(expected) and counts == {len(names)}
        rows.append((f"targets of {mesh}", str(len(names)), passed))
    for mesh in ("body", "hair", "upper_teeth"):
        rows.append((f"no targets in {mesh}", "-", not any("targets" in p for p in glb.mesh(mesh)["primitives"])))
    nodes = [glb.node(n) for n in JOINTS]
    rows.append(("joints", str(sum(n is not None for n in nodes)), all(n and "rotation" not in n for n in nodes)))
    sizes = {glb.doc["materials"][p["material"]]["name"]: glb.doc["accessors"][p["attributes"]["POSITION"]]["count"]
             for p in glb.mesh("face")["primitives"]}
    rows.append(("largest part of face", max(sizes, key=sizes.get), max(sizes, key=sizes.get) == "skin"))
    u, low, distance = lip_pair(glb)
    rest = glb.morphed("face", "skin")
    slit = lip_slit(glb, rest[u], rest[low])
    rows.append(("lip slit at rest", f"{slit * 1e3:.2f} mm", slit < 0.0 and distance < 0.004))
    for label, weights, low_mm, high_mm in (("jawOpen opens", {"jawOpen": 1.0}, 24, 40),
                                            ("jawOpen + mouthClose", {"jawOpen": 1.0, "mouthClose": 1.0}, -2, 2)):
        moved = glb.morphed("face", "skin", **weights)
        change = (moved[u, 1] - moved[low, 1] - rest[u, 1] + rest[low, 1]) * 1e3
        rows.append((label, f"{change:.1f} mm", low_mm < change < high_mm))
    for label, weights in (("rest", {}), ("mouthSmile 0.5", {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5}),
                           ("mouthStretch 0.5", {"mouthStretchLeft": 0.5, "mouthStretchRight": 0.5}),
                           ("mouthPucker", {"mouthPucker": 1.0})):
        count = seen_teeth(glb, **weights)
        rows.append((f"teeth seen at {label}", str(count), count == 0))
    turn, skew = collar_turns(glb)
    rows.append(("collar's sharpest turn", f"{turn:.1f} deg", turn < 9))
    rows.append(("collar's asymmetry", f"{skew * 1e3:.2f} mm", skew < 0.001))
    shut = lid_gap(glb)
    rows.append(("lid gap at eyeBlink", f"{shut * 1e3:.2f} mm", shut < 0.0006))
    tongue = glb.morphed("tongue", "tongue")
    skin = glb.morphed("face", "skin")
    lips = skin[[u, low], 2].min()
    rows.append(("tongue behind the lips", f"{(lips - tongue[:, 2].max()) * 1e3:.1f} mm", tongue[:, 2].max() < lips))
    opened = glb.morphed("tongue", "tongue", jawOpen=0.2, tongueTipUp=1.0)
    ridge = glb.accessor(glb.primitive("upper_teeth", "teeth")["attributes"]["POSITION"])
    reach = ridge[:, 1].mean() - opened[:, 1].max()
    rows.append(("tongue tip below the ridge", f"{reach * 1e3:.1f} mm", reach < 0.006))
    return rows


def report(paths):
    """Prints a table of all files; returns the exit status."""
    results = [inspect(p) for p in paths]
    print(f"{'':28}" + "".join(f"{p.stem:>24}" for p in paths))
    for lines in zip(*results):
        cells = "".join(f"{value + ('' if passed else '  FAILED'):>24}" for _, value, passed in lines)
        print(f"{lines[0][0]:28}{cells}")
    return int(not all(passed for lines in results for _, _, passed in lines))
