//! Binary glTF files that are changed.

use glam::Vec3;
use serde_json::{Value, json};

/// A binary glTF file (GLB) in its two parts, to be changed and written again.
#[derive(Debug, Clone, PartialEq)]
pub struct Glb {
    /// The document.
    pub json: Value,
    /// The binary part.
    pub blob: Vec<u8>,
}

impl Glb {
    /// Takes a file apart.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let glb = gltf::Glb::from_slice(bytes).map_err(|error| error.to_string())?;
        let json: Value = serde_json::from_slice(&glb.json).map_err(|error| error.to_string())?;
        if !json.is_object() {
            return Err("its document is no object".into());
        }
        Ok(Self { json, blob: glb.bin.unwrap_or_default().into_owned() })
    }

    /// Puts it together.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut json = self.json.clone();
        let mut blob = self.blob.clone();
        blob.resize(blob.len().next_multiple_of(4), 0);
        json["buffers"] = json!([{"byteLength": blob.len()}]);
        let mut text = json.to_string().into_bytes();
        text.resize(text.len().next_multiple_of(4), b' ');
        let mut bytes = Vec::with_capacity(28 + text.len() + blob.len());
        bytes.extend(b"glTF");
        for number in [2, 28 + text.len() + blob.len(), text.len()] {
            bytes.extend((number as u32).to_le_bytes());
        }
        bytes.extend(b"JSON");
        bytes.extend(text);
        bytes.extend((blob.len() as u32).to_le_bytes());
        bytes.extend(b"BIN\0");
        bytes.extend(blob);
        bytes
    }

    /// Appends bytes as a buffer view; gives its index.
    pub fn push_view(&mut self, bytes: &[u8]) -> usize {
        self.blob.resize(self.blob.len().next_multiple_of(4), 0);
        let view = json!({"buffer": 0, "byteOffset": self.blob.len(), "byteLength": bytes.len()});
        self.blob.extend(bytes);
        self.push("bufferViews", view)
    }

    /// Appends an accessor over a new view; gives its index. `kind` is `SCALAR`, `VEC3`, ...; `component` a number of glTF.
    pub fn push_accessor(&mut self, bytes: &[u8], count: usize, component: u32, kind: &str) -> usize {
        let view = self.push_view(bytes);
        self.push("accessors", json!({"bufferView": view, "componentType": component, "count": count, "type": kind}))
    }

    /// Appends displacements of a morph target (or positions): sparse where most are nothing. Gives the index of the accessor.
    pub fn push_vectors(&mut self, vectors: &[Vec3]) -> usize {
        let bytes = |vectors: &mut dyn Iterator<Item = &Vec3>| -> Vec<u8> {
            vectors.flat_map(|vector| vector.to_array()).flat_map(f32::to_le_bytes).collect()
        };
        let zero = Vec3::ZERO;
        let bound = |fold: fn(Vec3, Vec3) -> Vec3| {
            vectors.iter().copied().reduce(fold).unwrap_or(zero).to_array().map(f64::from)
        };
        let (least, most) = (bound(Vec3::min), bound(Vec3::max));
        let mut moved: Vec<usize> = (0..vectors.len()).filter(|index| vectors[*index] != zero).collect();
        if moved.is_empty() && !vectors.is_empty() {
            // Neither `gltf` nor Bevy reads an accessor without any data, which glTF allows.
            moved.push(0);
        }
        let mut accessor = if 2 * moved.len() < vectors.len() {
            let indices: Vec<u8> = moved.iter().flat_map(|index| (*index as u32).to_le_bytes()).collect();
            let indices = self.push_view(&indices);
            let values = bytes(&mut moved.iter().map(|index| &vectors[*index]));
            let values = self.push_view(&values);
            json!({"sparse": {
                "count": moved.len(),
                "indices": {"bufferView": indices, "componentType": 5125},
                "values": {"bufferView": values},
            }})
        } else {
            let values = bytes(&mut vectors.iter());
            json!({"bufferView": self.push_view(&values)})
        };
        for (key, value) in [
            ("componentType", json!(5126)),
            ("count", json!(vectors.len())),
            ("type", json!("VEC3")),
            ("min", json!(least)),
            ("max", json!(most)),
        ] {
            accessor[key] = value;
        }
        self.push("accessors", accessor)
    }

    /// Appends to a list of the document; gives the index.
    pub fn push(&mut self, list: &str, value: Value) -> usize {
        let entry = &mut self.json[list];
        if !entry.is_array() {
            *entry = json!([]);
        }
        match entry.as_array_mut() {
            Some(entries) => {
                entries.push(value);
                entries.len() - 1
            }
            None => 0,
        }
    }
}
