"""Mesh algebra. A part's vertices are weighted blends of base-mesh vertices.

Clipping and subdividing only multiply the blend matrix, so whatever is stored per base vertex (positions, shape
deltas, joint weights, painted masks) can be carried over to any part with one product.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags, vstack
from scipy.sparse.linalg import splu


def smoothstep(low, high, x):
    """0 below `low`, 1 above `high`, smooth in between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def unit(vectors):
    """Vectors scaled to length 1; a null vector stays null."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def split_quads(quads):
    """Two triangles per quad."""
    quads = np.asarray(quads)
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def vertex_normals(positions, triangles):
    """Area-weighted smooth normals."""
    a, b, c = (positions[triangles[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    ones = np.ones(len(triangles) * 3)
    incidence = csr_matrix((ones, (triangles.T.ravel(), np.tile(np.arange(len(triangles)), 3))),
                           shape=(len(positions), len(triangles)))
    return unit(incidence @ face)


@dataclass
class Part:
    """A primitive in the making. `blend @ per_base_vertex_array` gives that array for the part's vertices."""

    blend: csr_matrix
    triangles: np.ndarray
    uv: np.ndarray = None
    # Filled in later by the modules that build and paint parts.
    positions: np.ndarray = None
    normals: np.ndarray = None
    weights: np.ndarray = None
    colors: np.ndarray = None
    tangents: np.ndarray = None
    deltas: dict = field(default_factory=dict)

    @staticmethod
    def from_quads(quads, vertex_count, corner_uv=None):
        """Quads of the base mesh; corners that share a vertex but not a texture coordinate are split."""
        quads = np.asarray(quads)
        keys = quads.reshape(-1, 1).astype(float)
        if corner_uv is not None:
            keys = np.hstack([keys, np.round(np.asarray(corner_uv).reshape(-1, 2), 6)])
        unique, inverse = np.unique(keys, axis=0, return_inverse=True)
        base = unique[:, 0].astype(int)
        blend = csr_matrix((np.ones(len(base)), (np.arange(len(base)), base)), shape=(len(base), vertex_count))
        uv = unique[:, 1:] if corner_uv is not None else None
        return Part(blend, split_quads(inverse.reshape(quads.shape)), uv)

    def clipped(self, values):
        """The side of the part where the per-vertex scalar `values` is positive."""
        rows, cut, triangles = [], {}, []

        def corner(i):
            return cut.setdefault((i, i), len(cut))

        def crossing(i, j):
            return cut.setdefault((min(i, j), max(i, j)), len(cut))

        for tri in self.triangles:
            polygon = []
            for k in range(3):
                i, j = tri[k], tri[(k + 1) % 3]
                if values[i] > 0:
                    polygon.append(corner(i))
                if (values[i] > 0) != (values[j] > 0):
                    polygon.append(crossing(i, j))
            triangles += [(polygon[0], polygon[k], polygon[k + 1]) for k in range(1, len(polygon) - 1)]
        for (i, j), row in cut.items():
            t = values[i] / (values[i] - values[j]) if i != j else 0.0
            rows += [(row, i, 1 - t), (row, j, t)]
        r, c, w = np.array(rows).T
        mix = coo_matrix((w, (r.astype(int), c.astype(int))), shape=(len(cut), len(values))).tocsr()
        return Part(mix @ self.blend, np.array(triangles), None if self.uv is None else mix @ self.uv)

    def boundary_loops(self):
        """Closed chains of vertices along open edges, welded by position."""
        _, first, weld = np.unique(np.round(self.positions, 5), axis=0, return_index=True, return_inverse=True)
        tri = weld.ravel()[self.triangles]
        edges = np.concatenate([tri[:, [0, 1]], tri[:, [1, 2]], tri[:, [2, 0]]])
        edges = edges[edges[:, 0] != edges[:, 1]]
        present = {tuple(e) for e in edges}
        follow = {a: b for a, b in present if (b, a) not in present}
        loops = []
        while follow:
            start, b = follow.popitem()
            loop = [start]
            while b != start and b in follow:
                loop.append(b)
                b = follow.pop(b)
            loops.append(first[loop])
        return loops


def catmull_clark(quads, vertex_count):
    """One Catmull-Clark step as (matrix from old to new vertices, new quads); open edges keep their midpoints."""
    quads = np.asarray(quads)
    faces_of_edge = {}
    for f, quad in enumerate(quads):
        for k in range(4):
            faces_of_edge.setdefault(tuple(sorted((quad[k], quad[(k + 1) % 4]))), []).append(f)
    edge_row = {e: vertex_count + i for i, e in enumerate(faces_of_edge)}
    face_row = vertex_count + len(faces_of_edge)
    faces = csr_matrix((np.full(quads.size, 0.25), (np.repeat(np.arange(len(quads)), 4), quads.ravel())),
                       shape=(len(quads), vertex_count))
    rows, open_vertices = [], set()
    edges_of, faces_of = {}, {}
    for f, quad in enumerate(quads):
        for v in quad:
            faces_of.setdefault(v, []).append(f)
    edge_parts, vertex_parts = [], []
    for i, ((a, b), sides) in enumerate(faces_of_edge.items()):
        edges_of.setdefault(a, []).append(b)
        edges_of.setdefault(b, []).append(a)
        share = 0.5 if len(sides) == 1 else 0.25
        rows += [(i, a, share), (i, b, share)]
        if len(sides) == 1:
            open_vertices |= {a, b}
        else:
            edge_parts += [(i, f, 0.25) for f in sides]
    edge = _matrix(rows, len(faces_of_edge), vertex_count) + _matrix(edge_parts, len(faces_of_edge), len(quads)) @ faces
    rows = []
    for v in range(vertex_count):
        n = len(faces_of.get(v, ()))
        if n == 0 or v in open_vertices:
            rows.append((v, v, 1.0))
            continue
        # New vertex = (mean of face points + 2 x mean of edge midpoints + (n - 3) x old) / n.
        vertex_parts += [(v, f, 1 / n / n) for f in faces_of[v]]
        near = edges_of[v]
        rows += [(v, w, 1 / len(near) / n) for w in near]
        rows.append((v, v, 1 / n + (n - 3) / n))
    vertex = _matrix(rows, vertex_count, vertex_count) + _matrix(vertex_parts, vertex_count, len(quads)) @ faces
    fine = [(q[k], edge_row[tuple(sorted((q[k], q[(k + 1) % 4])))], face_row + f,
             edge_row[tuple(sorted((q[k - 1], q[k])))]) for f, q in enumerate(quads) for k in range(4)]
    return vstack([vertex, edge, faces]).tocsr(), np.array(fine)


def _matrix(entries, rows, columns):
    if not entries:
        return csr_matrix((rows, columns))
    r, c, w = np.array(entries).T
    return coo_matrix((w, (r.astype(int), c.astype(int))), shape=(rows, columns)).tocsr()


def subdivided(quads, vertex_count, steps=1):
    """A part made of base-mesh quads after Catmull-Clark steps; also returns its quads."""
    used, local = np.unique(quads, return_inverse=True)
    blend = csr_matrix((np.ones(len(used)), (np.arange(len(used)), used)), shape=(len(used), vertex_count))
    quads = local.reshape(np.asarray(quads).shape)
    for _ in range(steps):
        step, quads = catmull_clark(quads, blend.shape[0])
        blend = step @ blend
    return Part(blend, split_quads(quads)), quads


def flattened(positions, triangles, start, steps=40):
    """Plane coordinates of a patch in its own scale, as free of stretch as possible (ARAP), beginning with `start`."""
    n = len(positions)
    corner = positions[triangles]
    # Every triangle laid into the plane by itself, as complex numbers.
    edge, other = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    length = np.linalg.norm(edge, axis=1)
    along = (edge * other).sum(1) / length
    flat = np.stack([0 * length, length, along + 1j * np.sqrt(np.maximum((other ** 2).sum(1) - along ** 2, 0))], 1)
    plane = start[:, 0] + 1j * start[:, 1]
    if np.median(((plane[triangles[:, 1]] - plane[triangles[:, 0]]).conj()
                  * (plane[triangles[:, 2]] - plane[triangles[:, 0]])).imag) < 0:
        flat = flat.conj()
    a, b = triangles, np.roll(triangles, -1, 1)
    rest = np.roll(flat, -1, 1) - flat
    opposite = np.roll(flat, -2, 1)
    u, w = flat - opposite, np.roll(flat, -1, 1) - opposite
    weight = np.clip((u.conj() * w).real / np.maximum(np.abs((u.conj() * w).imag), 1e-9), 0.02, 20) / 2
    link = coo_matrix((weight.ravel(), (a.ravel(), b.ravel())), shape=(n, n)).tocsr()
    link = link + link.T
    # A weak hold on the start fixes place and orientation.
    hold = 1e-4
    solve = splu((diags(np.asarray(link.sum(1)).ravel() + hold) - link).tocsc()).solve
    for _ in range(steps):
        turn = (weight * rest.conj() * (plane[b] - plane[a])).sum(1)
        pull = weight * rest * (turn / np.maximum(np.abs(turn), 1e-12))[:, None]
        target = hold * (start[:, 0] + 1j * start[:, 1])
        np.add.at(target, b.ravel(), pull.ravel())
        np.add.at(target, a.ravel(), -pull.ravel())
        plane = solve(target.real) + 1j * solve(target.imag)
    return np.stack([plane.real, plane.imag], 1)


def orthonormal_tangents(part):
    """Tangents for normal mapping, from the texture coordinates (w = +1: the bitangent follows normal x tangent)."""
    p, uv, tri = part.positions, part.uv, part.triangles
    e1, e2 = p[tri[:, 1]] - p[tri[:, 0]], p[tri[:, 2]] - p[tri[:, 0]]
    d1, d2 = uv[tri[:, 1]] - uv[tri[:, 0]], uv[tri[:, 2]] - uv[tri[:, 0]]
    det = d1[:, 0] * d2[:, 1] - d2[:, 0] * d1[:, 1]
    safe = np.where(np.abs(det) < 1e-14, 1.0, det)[:, None]
    du = (e1 * d2[:, 1:] - e2 * d1[:, 1:]) / safe * np.abs(det)[:, None]
    dv = (e2 * d1[:, :1] - e1 * d2[:, :1]) / safe * np.abs(det)[:, None]
    t, b = np.zeros_like(p), np.zeros_like(p)
    for k in range(3):
        np.add.at(t, tri[:, k], du)
        np.add.at(b, tri[:, k], dv)
    n = part.normals
    t = unit(t - n * (t * n).sum(1, keepdims=True))
    lost = np.linalg.norm(t, axis=1) < 0.5
    t[lost] = unit(np.cross(n[lost], [0.0, 0.3, 1.0]))
    # glTF texture coordinates grow downwards, so the bitangent of a normal map (green up) is -dP/dv.
    sign = np.where((np.cross(n, t) * -b).sum(1) < 0, -1.0, 1.0)
    return np.hstack([t, sign[:, None]])
