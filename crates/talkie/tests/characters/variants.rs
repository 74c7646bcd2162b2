//! The default character under other names, in other arrangements, in other units.

use std::collections::BTreeMap;

use glam::Vec3;
use serde_json::{Value, json};
use talkie::{
    animation::{CHANNEL_COUNT, FaceChannel},
    retarget::{Glb, RigProfile, ShapeRule, match_shape, open_gltf, read_vectors},
};

/// How every shape changes a primitive.
type Displaced = Vec<Vec<Vec3>>;

/// Meshes with shapes of a file: index, names, and for every primitive and shape how places and, after them, normals change.
fn meshes(glb: &Glb) -> Vec<(usize, Vec<String>, Vec<Displaced>)> {
    let file = open_gltf(&glb.to_bytes()).unwrap();
    let blob = file.blob.as_deref().unwrap();
    let mut meshes = Vec::new();
    for mesh in file.meshes() {
        let Some(names) = talkie::retarget::target_names(&mesh) else { continue };
        let primitives = mesh.primitives().map(|primitive| {
            let read = |target: gltf::mesh::MorphTarget<'_>| {
                let places = read_vectors(&target.positions().unwrap(), blob).unwrap();
                let normals = read_vectors(&target.normals().unwrap(), blob).unwrap();
                places.into_iter().chain(normals).map(Vec3::from).collect()
            };
            primitive.morph_targets().map(read).collect()
        });
        let primitives = primitives.collect();
        meshes.push((mesh.index(), names, primitives));
    }
    meshes
}

/// Gives every mesh other shapes: `make` is told the channels of a mesh and the displacements of one of its primitives by each, and
/// gives names and displacements.
pub fn reshaped(glb: &Glb, make: impl Fn(&BTreeMap<FaceChannel, &Vec<Vec3>>) -> Vec<(String, Vec<Vec3>)>) -> Glb {
    let mut changed = glb.clone();
    for (mesh, names, primitives) in meshes(glb) {
        let channels: Vec<FaceChannel> = names.iter().map(|name| match_shape(name).channel().unwrap()).collect();
        let mut new_names = Vec::new();
        for (index, displaced) in primitives.iter().enumerate() {
            let by_channel = channels.iter().copied().zip(displaced).collect();
            let shapes = make(&by_channel);
            new_names = shapes.iter().map(|(name, _)| name.clone()).collect();
            let target = |(_, moved): &(String, Vec<Vec3>)| {
                let (places, normals) = moved.split_at(moved.len() / 2);
                json!({"POSITION": changed.push_vectors(places), "NORMAL": changed.push_vectors(normals)})
            };
            let targets: Vec<Value> = shapes.iter().map(target).collect();
            changed.json["meshes"][mesh]["primitives"][index]["targets"] = json!(targets);
        }
        changed.json["meshes"][mesh]["extras"] = json!({"targetNames": new_names});
        changed.json["meshes"][mesh]["weights"] = json!(vec![0.0; new_names.len()]);
    }
    changed
}

/// Renames shapes.
pub fn renamed(glb: &Glb, name: impl Fn(FaceChannel) -> String) -> Glb {
    reshaped(glb, |shapes| shapes.iter().map(|(channel, moved)| (name(*channel), (*moved).clone())).collect())
}

/// The shapes that a profile knows, made so that they show what its rules say: for rules that follow channels the least shapes
/// that together do what the channels do, for others their postures.
pub fn as_family(glb: &Glb, profile: &RigProfile, only: impl Fn(&ShapeRule) -> bool) -> Glb {
    let rules: Vec<&ShapeRule> = profile.shapes.iter().filter(|rule| only(rule)).collect();
    let following: Vec<&ShapeRule> = rules.iter().copied().filter(|rule| rule.shows.is_empty()).collect();
    // (MᵀM + ε)⁻¹, so that shapes are M (MᵀM + ε)⁻¹ D.
    let mut normal = vec![vec![0.0_f64; CHANNEL_COUNT]; CHANNEL_COUNT];
    for rule in &following {
        for (a, x) in &rule.from {
            for (b, y) in &rule.from {
                normal[a.index()][b.index()] += f64::from(x * y);
            }
        }
    }
    (0..CHANNEL_COUNT).for_each(|index| normal[index][index] += 1e-9);
    let inverse = inverse(normal);
    reshaped(glb, |shapes| {
        let combined = |mix: &[(FaceChannel, f32)]| -> Vec<Vec3> {
            let count = shapes.values().next().unwrap().len();
            let mut sum = vec![Vec3::ZERO; count];
            for (channel, factor) in mix {
                if let Some(moved) = shapes.get(channel) {
                    sum.iter_mut().zip(moved.iter()).for_each(|(sum, moved)| *sum += *moved * *factor);
                }
            }
            sum
        };
        let shape = |rule: &&ShapeRule| {
            let mix: Vec<(FaceChannel, f32)> = if rule.shows.is_empty() {
                let value = |channel: FaceChannel| -> f64 {
                    rule.from.iter().map(|(other, x)| f64::from(*x) * inverse[other.index()][channel.index()]).sum()
                };
                FaceChannel::ALL.into_iter().map(|channel| (channel, value(channel) as f32)).collect()
            } else {
                rule.shows.iter().map(|(channel, weight)| (*channel, *weight)).collect()
            };
            let mix: Vec<_> = mix.into_iter().filter(|(_, factor)| factor.abs() > 1e-6).collect();
            (rule.names[0].clone(), combined(&mix))
        };
        rules.iter().map(shape).collect()
    })
}

/// The inverse of a matrix that has one.
fn inverse(mut matrix: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let size = matrix.len();
    let mut inverse: Vec<Vec<f64>> =
        (0..size).map(|row| (0..size).map(|column| f64::from(u8::from(row == column))).collect()).collect();
    for column in 0..size {
        let pivot =
            (column..size).max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs())).unwrap();
        matrix.swap(column, pivot);
        inverse.swap(column, pivot);
        let scale = 1.0 / matrix[column][column];
        matrix[column].iter_mut().chain(&mut inverse[column]).for_each(|value| *value *= scale);
        for row in (0..size).filter(|row| *row != column) {
            let factor = matrix[row][column];
            if factor != 0.0 {
                for index in 0..size {
                    matrix[row][index] -= factor * matrix[column][index];
                    inverse[row][index] -= factor * inverse[column][index];
                }
            }
        }
    }
    inverse
}

/// Puts the whole character below another node.
pub fn below(glb: &Glb, node: Value) -> Glb {
    let mut changed = glb.clone();
    let roots = changed.json["scenes"][0]["nodes"].clone();
    let mut node = node;
    node["children"] = roots;
    let index = changed.push("nodes", node);
    changed.json["scenes"][0]["nodes"] = json!([index]);
    changed
}

/// The shapes of every mesh in another order.
pub fn shuffled(glb: &Glb) -> Glb {
    reshaped(glb, |shapes| {
        let mut shapes: Vec<_> =
            shapes.iter().map(|(channel, moved)| (channel.name().to_owned(), (*moved).clone())).collect();
        let count = shapes.len();
        (0..count).for_each(|index| shapes.swap(index, (index * 7 + 3) % count));
        shapes
    })
}

/// A joint that a variant adds: name, name of the node above, place within the character.
pub struct Added {
    pub name: &'static str,
    pub above: &'static str,
    pub place: Vec3,
}

/// The character without shapes, its skin bent by more joints. `bend` gives up to four joints and weights for a vertex of the first
/// primitive of the face.
pub fn jointed(glb: &Glb, added: &[Added]) -> Glb {
    let mut changed = glb.clone();
    let places = node_places(glb);
    let index_of = |json: &Value, name: &str| {
        json["nodes"].as_array().unwrap().iter().position(|node| node["name"] == name).unwrap()
    };
    let mut world: BTreeMap<usize, Vec3> = places.into_iter().enumerate().collect();
    let mut joints: Vec<usize> = serde_json::from_value(changed.json["skins"][0]["joints"].clone()).unwrap();
    for joint in added {
        let above = index_of(&changed.json, joint.above);
        let local = joint.place - world[&above];
        let node = changed.push("nodes", json!({"name": joint.name, "translation": local.to_array()}));
        let children = &mut changed.json["nodes"][above]["children"];
        match children.as_array_mut() {
            Some(children) => children.push(json!(node)),
            None => *children = json!([node]),
        }
        world.insert(node, joint.place);
        joints.push(node);
    }
    // No node is turned, so the inverse is a shift.
    let inverse: Vec<u8> = joints
        .iter()
        .flat_map(|joint| glam::Mat4::from_translation(-world[joint]).to_cols_array())
        .flat_map(f32::to_le_bytes)
        .collect();
    let matrices = changed.push_accessor(&inverse, joints.len(), 5126, "MAT4");
    changed.json["skins"][0]["joints"] = json!(joints);
    changed.json["skins"][0]["inverseBindMatrices"] = json!(matrices);
    for mesh in changed.json["meshes"].as_array_mut().unwrap() {
        for key in ["weights", "extras"] {
            mesh.as_object_mut().unwrap().remove(key);
        }
        for primitive in mesh["primitives"].as_array_mut().unwrap() {
            primitive.as_object_mut().unwrap().remove("targets");
        }
    }
    changed
}

/// Where the nodes of the default character are: none of them is turned or scaled.
fn node_places(glb: &Glb) -> Vec<Vec3> {
    let nodes = glb.json["nodes"].as_array().unwrap();
    let mut places = vec![Vec3::ZERO; nodes.len()];
    let mut stack: Vec<(usize, Vec3)> = vec![];
    let roots: Vec<usize> = serde_json::from_value(glb.json["scenes"][0]["nodes"].clone()).unwrap();
    stack.extend(roots.into_iter().map(|root| (root, Vec3::ZERO)));
    while let Some((node, above)) = stack.pop() {
        let local: Option<[f32; 3]> = serde_json::from_value(nodes[node]["translation"].clone()).ok();
        places[node] = above + Vec3::from(local.unwrap_or_default());
        let children: Vec<usize> = serde_json::from_value(nodes[node]["children"].clone()).unwrap_or_default();
        stack.extend(children.into_iter().map(|child| (child, places[node])));
    }
    places
}

/// Gives the vertices of the first primitive of a mesh other joints (places in the skin) and weights.
pub fn skinned(glb: &Glb, mesh: usize, bends: &[[(u8, f32); 4]]) -> Glb {
    let mut changed = glb.clone();
    let joints: Vec<u8> = bends.iter().flatten().map(|(joint, _)| *joint).collect();
    let weights: Vec<u8> = bends.iter().flatten().flat_map(|(_, weight)| weight.to_le_bytes()).collect();
    let joints = changed.push_accessor(&joints, bends.len(), 5121, "VEC4");
    let weights = changed.push_accessor(&weights, bends.len(), 5126, "VEC4");
    let attributes = &mut changed.json["meshes"][mesh]["primitives"][0]["attributes"];
    attributes["JOINTS_0"] = json!(joints);
    attributes["WEIGHTS_0"] = json!(weights);
    changed
}

/// A VRM avatar: a character whose shapes are those of the VRM family, but under names that say nothing; expressions and bones say
/// which is which.
pub fn as_vrm(family: &Glb, version: u8) -> Glb {
    let mut changed = family.clone();
    // Expression to its shapes: node and mesh, index.
    let mut binds: BTreeMap<String, Vec<(usize, usize, usize)>> = BTreeMap::new();
    let nodes = family.json["nodes"].as_array().unwrap();
    for (node, mesh) in
        nodes.iter().enumerate().filter_map(|(index, node)| Some((index, node["mesh"].as_u64()? as usize)))
    {
        let Some(names) = family.json["meshes"][mesh]["extras"]["targetNames"].as_array() else { continue };
        for (index, name) in names.iter().enumerate() {
            binds.entry(name.as_str().unwrap().to_owned()).or_default().push((node, mesh, index));
        }
        let hidden: Vec<String> = (0..names.len()).map(|index| format!("x{index}")).collect();
        changed.json["meshes"][mesh]["extras"]["targetNames"] = json!(hidden);
    }
    let node = |name: &str| nodes.iter().position(|node| node["name"] == name).unwrap();
    let bones = [("head", "head"), ("neck", "neck"), ("jaw", "jaw"), ("leftEye", "eye_L"), ("rightEye", "eye_R")];
    let (name, extension) = if version == 1 {
        let bones = bones.iter().map(|(bone, name)| ((*bone).to_owned(), json!({"node": node(name)})));
        let preset = binds.iter().map(|(name, binds)| {
            let binds = binds.iter().map(|(node, _, index)| json!({"node": node, "index": index, "weight": 1.0}));
            (name.clone(), json!({"morphTargetBinds": binds.collect::<Vec<_>>()}))
        });
        let extension = json!({
            "specVersion": "1.0",
            "meta": {"name": "Ada", "authors": ["bevy_talkie"], "licenseUrl": "https://vrm.dev/licenses/1.0/"},
            "humanoid": {"humanBones": bones.collect::<serde_json::Map<_, _>>()},
            "expressions": {"preset": preset.collect::<serde_json::Map<_, _>>()},
        });
        ("VRMC_vrm", extension)
    } else {
        let old = [
            ("aa", "a"),
            ("ih", "i"),
            ("ou", "u"),
            ("ee", "e"),
            ("oh", "o"),
            ("happy", "joy"),
            ("angry", "angry"),
            ("sad", "sorrow"),
            ("relaxed", "fun"),
            ("blink", "blink"),
            ("blinkLeft", "blink_l"),
            ("blinkRight", "blink_r"),
            ("lookUp", "lookup"),
            ("lookDown", "lookdown"),
            ("lookLeft", "lookleft"),
            ("lookRight", "lookright"),
        ];
        let bones: Vec<Value> = bones
            .iter()
            .map(|(bone, name)| json!({"bone": bone, "node": node(name), "useDefaultValues": true}))
            .collect();
        let groups: Vec<Value> = binds
            .iter()
            .map(|(name, binds)| {
                let preset = old.iter().find(|(new, _)| new == name).map_or("unknown", |(_, old)| old);
                let binds = binds.iter().map(|(_, mesh, index)| json!({"mesh": mesh, "index": index, "weight": 100.0}));
                let group = if preset == "unknown" { "Surprised".to_owned() } else { name.to_uppercase() };
                json!({"name": group, "presetName": preset, "binds": binds.collect::<Vec<_>>(), "materialValues": []})
            })
            .collect();
        let extension = json!({
            "exporterVersion": "bevy_talkie",
            "specVersion": "0.0",
            "meta": {"title": "Ada"},
            "humanoid": {"humanBones": bones},
            "blendShapeMaster": {"blendShapeGroups": groups},
        });
        ("VRM", extension)
    };
    if !changed.json["extensionsUsed"].is_array() {
        changed.json["extensionsUsed"] = json!([]);
    }
    changed.json["extensionsUsed"].as_array_mut().unwrap().push(json!(name));
    changed.json["extensions"][name] = extension;
    changed
}

/// Every primitive with shapes as a mesh of its own, on a node of its own.
pub fn split(glb: &Glb) -> Glb {
    let mut changed = glb.clone();
    let nodes = glb.json["nodes"].as_array().unwrap();
    for (index, node) in nodes.iter().enumerate().filter(|(_, node)| node["mesh"].is_u64()) {
        let mesh = glb.json["meshes"][node["mesh"].as_u64().unwrap() as usize].clone();
        let primitives = mesh["primitives"].as_array().unwrap();
        if primitives[0]["targets"].is_null() {
            continue;
        }
        for (number, primitive) in primitives.iter().enumerate().skip(1) {
            let mut part = mesh.clone();
            part["name"] = json!(format!("{} {number}", mesh["name"].as_str().unwrap()));
            part["primitives"] = json!([primitive]);
            let part = changed.push("meshes", part);
            let mut other = node.clone();
            other["mesh"] = json!(part);
            other["name"] = json!(format!("{} {number}", node["name"].as_str().unwrap()));
            let other = changed.push("nodes", other);
            let above = changed.json["nodes"].as_array().unwrap().iter().position(|above| {
                above["children"].as_array().is_some_and(|children| children.contains(&json!(index)))
            });
            let siblings = match above {
                Some(above) => &mut changed.json["nodes"][above]["children"],
                None => &mut changed.json["scenes"][0]["nodes"],
            };
            siblings.as_array_mut().unwrap().push(json!(other));
        }
        let own = node["mesh"].as_u64().unwrap() as usize;
        changed.json["meshes"][own]["primitives"] = json!([primitives[0]]);
    }
    changed
}
