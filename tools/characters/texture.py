"""Texture space: rasterising parts, drawing strokes, deriving normal maps, encoding PNG."""

import io

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import distance_transform_edt, gaussian_filter


def rasterize(parts, attributes, size, priorities=None):
    """Spreads per-vertex attributes over texture space.

    `parts` have texture coordinates (u may pass 1 and wraps), `attributes` one array per part. Where triangles overlap
    (a cylindrical layout folds at the eye sockets and nostrils), the one with the higher per-vertex priority wins.
    Returns the filled buffer (nearest value outside the islands) and the mask of covered texels.
    """
    if priorities is None:
        priorities = [np.zeros(len(p.uv)) for p in parts]
    highest = np.full((size, size), -np.inf)
    buffer = np.zeros((size, size, attributes[0].shape[1]), np.float32)
    covered = np.zeros((size, size), bool)
    for part, values, priority in zip(parts, attributes, priorities):
        for tri in part.triangles:
            uv = part.uv[tri] * size - 0.5
            low, high = np.floor(uv.min(0) - 0.5).astype(int), np.ceil(uv.max(0) + 0.5).astype(int)
            x, y = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
            (x0, y0), (x1, y1), (x2, y2) = uv
            area = (y1 - y2) * (x0 - x2) + (x2 - x1) * (y0 - y2)
            if abs(area) < 1e-9:
                continue
            a = ((y1 - y2) * (x - x2) + (x2 - x1) * (y - y2)) / area
            b = ((y2 - y0) * (x - x2) + (x0 - x2) * (y - y2)) / area
            inside = (a >= -0.02) & (b >= -0.02) & (a + b <= 1.02) & (y >= 0) & (y < size)
            a, b = a[inside], b[inside]
            row, column = y[inside], x[inside] % size
            weights = np.stack([a, b, 1 - a - b], 1)
            rank = weights @ priority[tri]
            wins = rank >= highest[row, column]
            row, column, weights = row[wins], column[wins], weights[wins]
            highest[row, column] = rank[wins]
            buffer[row, column] = weights @ values[tri]
            covered[row, column] = True
    rows, columns = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    return buffer[rows, columns], covered


def draw_strokes(size, lines, widths, values, supersample=3):
    """Tapering hairs as a coverage map 0..1.

    `lines` are polylines in texture coordinates, `widths` their widths at the root in texels, `values` their opacity.
    """
    image = Image.new("L", (size * supersample, size * supersample), 0)
    draw = ImageDraw.Draw(image)
    for line, width, value in zip(lines, widths, values):
        points = [tuple(p) for p in np.asarray(line) * size * supersample]
        count = len(points) - 1
        for k in range(count):
            taper = 1 - (k / count) ** 1.5 * 0.75
            thickness = max(1, round(width * taper * supersample))
            draw.line([points[k], points[k + 1]], fill=int(255 * value), width=thickness)
    return np.asarray(image.resize((size, size), Image.Resampling.BOX)) / 255.0


def normal_map(height, strength, blur=0.6, wrap=True):
    """Tangent-space normals (green up) of a height map; `strength` is the slope per unit of height and texel."""
    smooth = gaussian_filter(height, blur, mode="wrap" if wrap else "nearest")
    dy, dx = np.gradient(smooth)
    n = np.stack([-dx * strength, dy * strength, np.ones_like(dx)], -1)
    n /= np.linalg.norm(n, axis=-1, keepdims=True)
    return np.round((n * 0.5 + 0.5) * 255).astype(np.uint8)


def mix(color, over, amount):
    """`over` painted onto `color` with per-texel opacity."""
    return color * (1 - amount[..., None]) + np.asarray(over) * amount[..., None]


def to_bytes(color):
    return np.clip(np.round(color), 0, 255).astype(np.uint8)


def png(pixels):
    """PNG bytes of an image array."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", optimize=True)
    return stream.getvalue()
