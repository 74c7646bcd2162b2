"""A minimal binary glTF writer for skinned and morphed parts."""

import json
import struct

import numpy as np

FLOAT, UBYTE, USHORT = 5126, 5121, 5123
TYPES = {FLOAT: np.float32, UBYTE: np.uint8, USHORT: np.uint16}
VERTEX_DATA, INDEX_DATA = 34962, 34963

# Morph deltas below these sizes are not stored: 30 micrometres, and one degree of normal.
POSITION_THRESHOLD = 3e-5
NORMAL_THRESHOLD = 0.022


def _short(values):
    """Single-precision numbers in their shortest decimal form that reads back exactly."""
    return [float(str(v)) for v in np.asarray(values, np.float32)]


class Writer:
    """Collects binary data and JSON arrays; `write` puts the .glb together."""

    def __init__(self):
        self.binary = bytearray()
        self.doc = {k: [] for k in ("bufferViews", "accessors", "images", "textures", "samplers", "materials", "meshes",
                                    "skins", "nodes")}
        self.zero_accessors = {}

    def _add(self, kind, entry):
        self.doc[kind].append(entry)
        return len(self.doc[kind]) - 1

    def _view(self, data, target=None):
        self.binary += bytes(-len(self.binary) % 4)
        entry = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data)}
        if target:
            entry["target"] = target
        self.binary += data
        return self._add("bufferViews", entry)

    def accessor(self, values, component, kind, normalized=False, bounds=False, target=VERTEX_DATA):
        values = np.ascontiguousarray(values, TYPES[component])
        entry = {"bufferView": self._view(values.tobytes(), target), "componentType": component, "count": len(values),
                 "type": kind}
        if normalized:
            entry["normalized"] = True
        if bounds:
            entry["min"], entry["max"] = _short(values.min(0)), _short(values.max(0))
        return self._add("accessors", entry)

    def _sparse_accessor(self, deltas, threshold):
        """Morph deltas with the zero rows left out.

        Bevy's loader skips a target whose accessor has no data at all, which would shift every later target, so an
        all-zero target still stores one row. Such accessors are shared per vertex count.
        """
        deltas = np.ascontiguousarray(deltas, np.float32)
        rows = np.nonzero(np.abs(deltas).max(1) > threshold)[0]
        zero = len(rows) == 0
        if zero:
            if len(deltas) in self.zero_accessors:
                return self.zero_accessors[len(deltas)]
            rows = np.array([0])
        values = np.zeros((1, 3), np.float32) if zero else deltas[rows]
        # Rows that are left out are at rest, where there are such rows.
        rest = values[0] if len(rows) == len(deltas) else np.zeros(3, np.float32)
        entry = {"componentType": FLOAT, "count": len(deltas), "type": "VEC3",
                 "min": _short(np.minimum(values.min(0), rest)), "max": _short(np.maximum(values.max(0), rest)),
                 "sparse": {"count": len(rows),
                            "indices": {"bufferView": self._view(rows.astype(np.uint16).tobytes()),
                                        "componentType": USHORT},
                            "values": {"bufferView": self._view(values.tobytes())}}}
        index = self._add("accessors", entry)
        if zero:
            self.zero_accessors[len(deltas)] = index
        return index

    def texture(self, name, png, wrap_u=10497, wrap_v=33071):
        image = self._add("images", {"name": name, "mimeType": "image/png", "bufferView": self._view(png)})
        sampler = {"magFilter": 9729, "minFilter": 9987, "wrapS": wrap_u, "wrapT": wrap_v}
        if sampler not in self.doc["samplers"]:
            self.doc["samplers"].append(sampler)
        return self._add("textures", {"name": name, "source": image, "sampler": self.doc["samplers"].index(sampler)})

    def material(self, **entry):
        return self._add("materials", entry)

    def primitive(self, part, material, to_meters, targets=(), skinned=True, coarse=False):
        """One primitive; `to_meters` is (origin, scale) of the source units.

        Inner and thin parts may be `coarse`: their deltas are stored from larger thresholds on.
        """
        origin, scale = to_meters
        lengths = np.linalg.norm(part.normals, axis=1, keepdims=True)
        # Vertices of nothing but degenerate triangles have no normal of their own.
        normals = np.where(lengths > 1e-9, part.normals / np.maximum(lengths, 1e-9), [0.0, 1.0, 0.0])
        attributes = {"POSITION": self.accessor((part.positions - origin) * scale, FLOAT, "VEC3", bounds=True),
                      "NORMAL": self.accessor(normals, FLOAT, "VEC3")}
        if part.tangents is not None:
            tangents = np.array(part.tangents, np.float32)
            tangents[~tangents[:, :3].any(1), 0] = 1.0
            attributes["TANGENT"] = self.accessor(tangents, FLOAT, "VEC4")
        if part.uv is not None:
            attributes["TEXCOORD_0"] = self.accessor(part.uv, FLOAT, "VEC2")
        if part.colors is not None:
            colors = part.colors if part.colors.shape[1] == 4 else np.c_[part.colors, np.ones(len(part.colors))]
            attributes["COLOR_0"] = self.accessor(np.round(np.clip(colors, 0, 1) * 255), UBYTE, "VEC4", normalized=True)
        if skinned:
            joints = np.argsort(-part.weights, 1, kind="stable")[:, :4]
            weights = np.take_along_axis(part.weights, joints, 1)
            bytes_ = np.round(weights / weights.sum(1, keepdims=True) * 255).astype(int)
            bytes_[:, 0] += 255 - bytes_.sum(1)
            attributes["JOINTS_0"] = self.accessor(np.where(bytes_ > 0, joints, 0), UBYTE, "VEC4")
            attributes["WEIGHTS_0"] = self.accessor(bytes_, UBYTE, "VEC4", normalized=True)
        entry = {"attributes": attributes, "material": material,
                 "indices": self.accessor(part.triangles.ravel(), USHORT, "SCALAR", target=INDEX_DATA)}
        if targets:
            factor = 3 if coarse else 1
            entry["targets"] = [
                {"POSITION": self._sparse_accessor(part.deltas[t][0] * scale, POSITION_THRESHOLD * factor),
                 "NORMAL": self._sparse_accessor(part.deltas[t][1], NORMAL_THRESHOLD * factor)} for t in targets]
        return entry

    def mesh(self, name, primitives, targets=()):
        entry = {"name": name, "primitives": primitives}
        if targets:
            entry["weights"] = [0.0] * len(targets)
            entry["extras"] = {"targetNames": list(targets)}
        return self._add("meshes", entry)

    def skeleton(self, joints, positions):
        """Joint nodes (name, parent) and a skin; every joint has identity rotation. Returns the skin's index."""
        bind = np.tile(np.eye(4), (len(joints), 1, 1))
        for j, (name, parent) in enumerate(joints):
            offset = positions[j] - (positions[parent] if parent >= 0 else 0)
            node = self._add("nodes", {"name": name, "translation": offset.tolist()})
            if parent >= 0:
                self.doc["nodes"][parent].setdefault("children", []).append(node)
            # Column-major: the translation is the last row here.
            bind[j, 3, :3] = -positions[j]
        matrices = self.accessor(bind.reshape(-1, 16), FLOAT, "MAT4", target=None)
        return self._add("skins", {"joints": list(range(len(joints))), "inverseBindMatrices": matrices, "skeleton": 0})

    def node(self, **entry):
        return self._add("nodes", entry)

    def write(self, path, root, asset):
        self.binary += bytes(-len(self.binary) % 4)
        used = sorted({name for m in self.doc["materials"] for name in m.get("extensions", ())})
        doc = {"asset": asset, "extensionsUsed": used, "scene": 0,
               "scenes": [{"name": asset["extras"]["title"], "nodes": [root]}],
               **{k: v for k, v in self.doc.items() if v}, "buffers": [{"byteLength": len(self.binary)}]}
        text = json.dumps(doc, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        with open(path, "wb") as file:
            file.write(struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(self.binary)))
            file.write(struct.pack("<I4s", len(text), b"JSON") + text)
            file.write(struct.pack("<I4s", len(self.binary), b"BIN\0") + bytes(self.binary))
