//! Writes small glTF characters: a triangle with named shapes, and joints.

use std::{fs, path::Path};

use serde_json::{Value, json};

/// What to write.
#[derive(Default)]
pub struct Character<'a> {
    /// Names of the morph targets; every one lifts the triangle by 1 cm, but `mouthClose` lowers it.
    pub shapes: &'a [&'a str],
    /// How many targets there are, if not as many as names.
    pub targets: Option<usize>,
    /// Nodes without mesh: name, parent (index into this list), rotation.
    pub joints: &'a [(&'a str, Option<usize>, [f32; 4])],
    /// Leaves the normals out.
    pub without_normals: bool,
    /// Adds a clip of one second that holds all weights at 0.5 and the first joint turned by 0.3 about Y.
    pub clip: bool,
    /// Extensions of the file. Node 0 is the mesh (0), the joints follow.
    pub extensions: Option<Value>,
}

impl Character<'_> {
    /// Writes `NAME` into a folder.
    pub fn write(&self, folder: &Path, name: &str) {
        let count = self.targets.unwrap_or(self.shapes.len());
        // Four vertices, two triangles, so that vertices without normals would be torn apart.
        let positions: [f32; 12] = [0.0, 0.0, 0.0, 0.1, 0.0, 0.0, 0.1, 0.1, 0.0, 0.0, 0.1, 0.0];
        let normals: [f32; 12] = [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0];
        let lift: [f32; 12] = [0.0, 0.01, 0.0, 0.0, 0.01, 0.0, 0.0, 0.01, 0.0, 0.0, 0.01, 0.0];
        let lower = lift.map(|value| -value);
        let indices: [u16; 6] = [0, 1, 2, 0, 2, 3];
        let mut bin: Vec<u8> =
            [positions, normals, lift, lower].iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
        bin.extend(indices.iter().flat_map(|v| v.to_le_bytes()));
        let view = |offset: usize, length: usize| json!({"buffer": 0, "byteOffset": offset, "byteLength": length});
        let vec3 = |view: usize| json!({"bufferView": view, "componentType": 5126, "count": 4, "type": "VEC3", "min": [0.0, 0.0, 0.0], "max": [0.1, 0.1, 1.0]});
        let mut attributes = json!({"POSITION": 0});
        if !self.without_normals {
            attributes["NORMAL"] = json!(1);
        }
        let mut primitive = json!({"attributes": attributes, "indices": 4});
        if count > 0 {
            let accessor = |index: usize| if self.shapes.get(index) == Some(&"mouthClose") { 3 } else { 2 };
            primitive["targets"] = (0..count).map(|index| json!({"POSITION": accessor(index)})).collect();
        }
        let mut mesh = json!({"name": "face", "primitives": [primitive]});
        if !self.shapes.is_empty() {
            mesh["extras"] = json!({"targetNames": self.shapes});
        }
        let mut nodes = vec![json!({"name": "face", "mesh": 0})];
        let mut roots = vec![0];
        for (index, (joint, parent, rotation)) in self.joints.iter().enumerate() {
            nodes.push(json!({"name": joint, "rotation": rotation}));
            match parent {
                None => roots.push(index + 1),
                Some(parent) => {
                    let children = &mut nodes[parent + 1]["children"];
                    match children.as_array_mut() {
                        Some(children) => children.push(json!(index + 1)),
                        None => *children = json!([index + 1]),
                    }
                }
            }
        }
        let mut document = json!({
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"name": "scene", "nodes": roots}],
            "nodes": nodes,
            "meshes": [mesh],
            "buffers": [{"byteLength": bin.len()}],
            "bufferViews": [view(0, 48), view(48, 48), view(96, 48), view(144, 48), view(192, 12)],
            "accessors": [vec3(0), vec3(1), vec3(2), vec3(3), {"bufferView": 4, "componentType": 5123, "count": 6, "type": "SCALAR"}],
        });
        if self.clip {
            let mut add = |values: &[f32], kind: &str, count: usize| {
                let start = bin.len();
                bin.extend(values.iter().flat_map(|value| value.to_le_bytes()));
                let views = document["bufferViews"].as_array_mut().unwrap();
                views.push(view(start, bin.len() - start));
                let view = views.len() - 1;
                let accessors = document["accessors"].as_array_mut().unwrap();
                accessors.push(json!({"bufferView": view, "componentType": 5126, "count": count, "type": kind,
                    "min": [values[0]], "max": [values[values.len() - 1]]}));
                if kind != "SCALAR" || count != 2 {
                    let last = accessors.last_mut().unwrap().as_object_mut().unwrap();
                    last.remove("min");
                    last.remove("max");
                }
                accessors.len() - 1
            };
            let times = add(&[0.0, 1.0], "SCALAR", 2);
            let weights = add(&vec![0.5; 2 * count], "SCALAR", 2 * count);
            let (sin, cos) = 0.15_f32.sin_cos();
            let turns = add(&[0.0, sin, 0.0, cos, 0.0, sin, 0.0, cos], "VEC4", 2);
            document["animations"] = json!([{"samplers": [
                {"input": times, "output": weights}, {"input": times, "output": turns},
            ], "channels": [
                {"sampler": 0, "target": {"node": 0, "path": "weights"}},
                {"sampler": 1, "target": {"node": 1, "path": "rotation"}},
            ]}]);
            document["buffers"][0]["byteLength"] = json!(bin.len());
        }
        if let Some(extensions) = &self.extensions {
            document["extensionsUsed"] = extensions.as_object().unwrap().keys().cloned().collect();
            document["extensions"] = extensions.clone();
        }
        let mut text = document.to_string().into_bytes();
        text.resize(text.len().next_multiple_of(4), b' ');
        bin.resize(bin.len().next_multiple_of(4), 0);
        let mut file = Vec::new();
        file.extend(b"glTF");
        for number in [2, 12 + 8 + text.len() + 8 + bin.len(), text.len()] {
            file.extend((number as u32).to_le_bytes());
        }
        file.extend(b"JSON");
        file.extend(&text);
        file.extend((bin.len() as u32).to_le_bytes());
        file.extend(b"BIN\0");
        file.extend(&bin);
        fs::write(folder.join(name), file).unwrap();
    }
}
