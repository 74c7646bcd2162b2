"""Ambient occlusion from splatted depth maps: fast enough without a ray tracer."""

import numpy as np

from mesh import vertex_normals


def surface_points(triangles, spacing):
    """Random points on triangles (n, 3, 3), one per `spacing` squared but at least one each."""
    random = np.random.default_rng(3)
    area = np.linalg.norm(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1) / 2
    tri = np.repeat(triangles, np.ceil(np.clip(area / spacing ** 2, 1, 60)).astype(int), 0)
    a = random.random((len(tri), 2))
    a[a.sum(1) > 1] = 1 - a[a.sum(1) > 1]
    return tri[:, 0] + a[:, :1] * (tri[:, 1] - tri[:, 0]) + a[:, 1:] * (tri[:, 2] - tri[:, 0])


def ambient_occlusion(points, normals, occluder, center, directions=64, resolution=224, bias=0.028):
    """Cosine-weighted share of the sky that each point sees, slightly brighter from above.

    `occluder` is a cloud of surface points. For every direction it is splatted into an orthographic depth map that
    the query points are compared with.
    """
    k = np.arange(directions) + 0.5
    turn, rise = np.pi * (1 + 5 ** 0.5) * k, 1 - 2 * k / directions
    flat = np.sqrt(1 - rise ** 2)
    seen, total = np.zeros(len(points)), np.full(len(points), 1e-9)
    cloud = (occluder - center).astype(np.float32)
    lifted = (points - center + normals * 0.012).astype(np.float32)
    for d in np.stack([flat * np.cos(turn), rise, flat * np.sin(turn)], 1):
        u = np.cross(d, [0, 1, 0] if abs(d[1]) < 0.9 else [1, 0, 0])
        u /= np.linalg.norm(u)
        frame = np.stack([u, np.cross(d, u), d], 1).astype(np.float32)

        def project(p):
            p = p @ frame
            cell = np.clip((p[:, :2] / 2.8 + 0.5) * resolution, 0, resolution - 1).astype(np.int32)
            return cell[:, 0] * resolution + cell[:, 1], p[:, 2]

        depth = np.full(resolution * resolution, -9.0, np.float32)
        cell, height = project(cloud)
        np.maximum.at(depth, cell, height)
        cell, height = project(lifted)
        weight = np.maximum(normals @ d, 0) * (1 + 0.4 * d[1])
        seen += weight * (height >= depth[cell] - bias)
        total += weight
    return np.clip(seen / total, 0, 1)


def bake(head, hair):
    """Occlusion per base vertex under a cloud of hair points.

    Lips and the inside of the mouth use the opened mouth, or it would be black inside.
    """
    source = head.source
    groups = [g for g in source.faces if g == "body" or "teeth" in g or g == "helper-tongue"
              or ("eye" in g and "lash" not in g and "joint" not in g)]
    quads = np.concatenate([source.quads(g) for g in groups])
    quads = quads[head.vertices[quads][..., 1].max(1) > head.neck[1] - 1.2]
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    used = np.unique(triangles)

    def run(vertices, normals, rows, occluder):
        result = np.ones(head.count)
        result[rows] = ambient_occlusion(vertices[rows], normals[rows], occluder, head.center)
        return result

    cloud = np.concatenate([surface_points(head.vertices[triangles], 0.010), hair])
    closed = run(head.vertices, head.normals, used, cloud)
    wide = head.vertices + 0.75 * head.units["jawOpen"]
    near = used[np.linalg.norm(head.vertices[used] - head.mouth_center, axis=1) < 1.2]
    opened = run(wide, vertex_normals(wide, head.triangles), near, surface_points(wide[triangles], 0.010))
    inner = np.unique(head.mouth_quads)
    closed[inner] = opened[inner]
    for group in ("helper-tongue", "helper-upper-teeth", "helper-lower-teeth"):
        rows = np.unique(source.quads(group))
        closed[rows] = opened[rows]
    return np.where(head.lip > 0.15, np.maximum(closed, opened), closed)
