//! Writing what was carried over into the file.

use glam::{Mat3, Vec3};
use serde_json::{Value, json};

use super::{FaceFit, head::normals_of};
use crate::retarget::Glb;

/// What moves no vertex further than this, in distances between the eyes, is no shape of it.
const NOTHING: f32 = 2e-3;

impl FaceFit<'_> {
    /// Adds a shape of every channel to the meshes of the file that the head was read from, behind those they have, under the names of
    /// the channels; gives how many were added. Meshes that already have a shape of such a name keep it.
    pub fn add_shapes(&self, glb: &mut Glb) -> usize {
        let (channels, carried, head) = (&self.channels, &self.carried, self.head);
        let back = self.place.turn.transpose() / self.place.scale;
        let mut added = 0;
        let meshes: std::collections::BTreeSet<usize> = head.parts.iter().map(|part| part.mesh).collect();
        for mesh in meshes {
            let mut names = names(&glb.json["meshes"][mesh]);
            let parts: Vec<usize> = (0..head.parts.len()).filter(|part| head.parts[*part].mesh == mesh).collect();
            let moves = |channel: usize, part: usize| {
                carried[channel][part].as_ref().is_some_and(|all| all.iter().any(|moved| moved.length() > NOTHING))
            };
            let new: Vec<usize> = (0..channels.len())
                .filter(|channel| !names.iter().any(|name| name == channels[*channel].name()))
                .filter(|channel| parts.iter().any(|part| moves(*channel, *part)))
                .collect();
            // A mesh whose primitives could not all be read has no place for them.
            let primitives = glb.json["meshes"][mesh]["primitives"].as_array().map_or(0, Vec::len);
            let mut seen: Vec<usize> = parts.iter().map(|part| head.parts[*part].primitive).collect();
            seen.sort_unstable();
            seen.dedup();
            if new.is_empty() || seen.len() != primitives {
                continue;
            }
            for part in &parts {
                let of_head = &head.parts[*part];
                for channel in &new {
                    let still = vec![Vec3::ZERO; of_head.points.len()];
                    let moved = carried[*channel][*part].as_ref().unwrap_or(&still);
                    let local = |(moved, inverse): (&Vec3, &Mat3)| {
                        if moved.length() > NOTHING { *inverse * (back * *moved) } else { Vec3::ZERO }
                    };
                    let places: Vec<Vec3> = moved.iter().zip(&of_head.inverse).map(local).collect();
                    let normals = self.normals(*part, moved);
                    let target = json!({"POSITION": glb.push_vectors(&places), "NORMAL": glb.push_vectors(&normals)});
                    let targets = &mut glb.json["meshes"][mesh]["primitives"][of_head.primitive]["targets"];
                    match targets.as_array_mut() {
                        Some(targets) => targets.push(target),
                        None => *targets = json!([target]),
                    }
                }
            }
            names.extend(new.iter().map(|channel| channels[*channel].name().to_owned()));
            let weights = vec![0.0; names.len()];
            glb.json["meshes"][mesh]["extras"]["targetNames"] = json!(names);
            glb.json["meshes"][mesh]["weights"] = json!(weights);
            added += new.len();
        }
        added
    }

    /// How the normals of a part's vertices change, in the axes of the file.
    fn normals(&self, part: usize, moved: &[Vec3]) -> Vec<Vec3> {
        let of_head = &self.head.parts[part];
        // The points of this part alone.
        let mut number = vec![u32::MAX; self.head.points.len()];
        let mut before = Vec::new();
        let mut after = Vec::new();
        for (point, moved) in of_head.points.iter().zip(moved) {
            let number = &mut number[*point as usize];
            if *number == u32::MAX {
                *number = before.len() as u32;
                let at = self.place.apply(self.head.points[*point as usize]);
                before.push(at);
                after.push(at + *moved);
            }
        }
        let corners = self.head.triangles.iter().zip(&self.head.owners).filter(|(_, owner)| **owner as usize == part);
        let triangles: Vec<[u32; 3]> =
            corners.map(|(corners, _)| corners.map(|corner| number[corner as usize])).collect();
        let (old, new) = (normals_of(&before, &triangles), normals_of(&after, &triangles));
        let back = self.place.turn.transpose();
        // Triangles seen in a mirror turn the other way round, normals do not.
        let mirrored = self.place.turn.determinant().signum();
        of_head
            .points
            .iter()
            .zip(&of_head.inverse)
            .map(|(point, inverse)| {
                let number = number[*point as usize] as usize;
                // Normals are carried by the transpose of what carries places the other way.
                let local =
                    |normal: Vec3| (inverse.inverse().transpose() * (back * normal)).normalize_or_zero() * mirrored;
                let change = local(new[number]) - local(old[number]);
                if change.length_squared() > 1e-8 { change } else { Vec3::ZERO }
            })
            .collect()
    }
}

/// The names of a mesh's shapes, as many as there are.
fn names(mesh: &Value) -> Vec<String> {
    let count = mesh["primitives"][0]["targets"].as_array().map_or(0, Vec::len);
    let given = mesh["extras"]["targetNames"].as_array();
    let name = |index: usize| given.and_then(|names| names.get(index)?.as_str()).unwrap_or_default().to_owned();
    (0..count).map(name).collect()
}
