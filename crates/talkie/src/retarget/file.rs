//! glTF files, as far as a face is concerned.

use std::collections::VecDeque;

use glam::{Quat, Vec3};
use gltf::{
    accessor::{DataType, Dimensions, Iter},
    buffer::Source,
};

use super::{Displacements, Rig, RigNode, Vrm};

/// Opens a glTF or GLB file that may say anything.
///
/// # Errors
/// What is wrong with it, in words.
pub fn open_gltf(bytes: &[u8]) -> Result<gltf::Gltf, String> {
    let refused = |error: gltf::Error| error.to_string();
    let gltf::Gltf { document, blob } = gltf::Gltf::from_slice_without_validation(bytes).map_err(refused)?;
    let root = document.into_json();
    // The validation of `gltf` 1.4 panics at attributes that are not there.
    let primitives = root.meshes.iter().flat_map(|mesh| &mesh.primitives);
    if primitives.flat_map(|primitive| primitive.attributes.values()).any(|index| root.get(*index).is_none()) {
        return Err("a mesh has attributes that are not there".into());
    }
    Ok(gltf::Gltf { document: gltf::Document::from_json(root).map_err(refused)?, blob })
}

/// Names of a mesh's morph targets in order: `targetNames` in its extras. One that is no text is empty.
pub fn target_names(mesh: &gltf::Mesh<'_>) -> Option<Vec<String>> {
    let extras: serde_json::Value = serde_json::from_str(mesh.extras().as_ref()?.get()).ok()?;
    let names = extras.get("targetNames")?.as_array()?;
    Some(names.iter().map(|name| name.as_str().unwrap_or_default().to_owned()).collect())
}

/// Reads vectors of three numbers from the binary part of a GLB file that may say anything about itself. `None` if they are of another
/// kind, compressed, in another file, or not there.
pub fn read_vectors(accessor: &gltf::Accessor<'_>, blob: &[u8]) -> Option<Vec<[f32; 3]>> {
    (accessor.data_type() == DataType::F32 && accessor.dimensions() == Dimensions::Vec3).then_some(())?;
    readable(accessor, blob)?;
    let vectors = Iter::new(accessor.clone(), |buffer| matches!(buffer.source(), Source::Bin).then_some(blob))?;
    Some(vectors.collect())
}

/// Whether all that an accessor says is there is within the binary part of its file. The readers of `gltf` trust a file; one may say
/// anything.
pub(crate) fn readable(accessor: &gltf::Accessor<'_>, blob: &[u8]) -> Option<()> {
    let inside = |view: gltf::buffer::View<'_>, offset: usize, count: usize, size: usize| {
        let stride = view.stride().unwrap_or(size);
        let last = count.checked_sub(1)?.checked_mul(stride)?.checked_add(offset)?.checked_add(size)?;
        let end = view.offset().checked_add(view.length())?;
        (stride >= size && last <= view.length() && end <= blob.len()).then_some(())
    };
    let (count, size) = (accessor.count(), accessor.size());
    match accessor.view() {
        Some(view) => inside(view, accessor.offset(), count, size)?,
        None => (1..=blob.len()).contains(&count).then_some(())?,
    }
    if let Some(sparse) = accessor.sparse() {
        let (indices, values) = (sparse.indices(), sparse.values());
        inside(indices.view(), indices.offset(), sparse.count(), indices.index_type().size())?;
        inside(values.view(), values.offset(), sparse.count(), size)?;
    }
    Some(())
}

/// What an opened glTF or VRM file offers to a face: all nodes of its scene (of the default one, or the first).
pub fn rig_of(file: &gltf::Gltf) -> Rig<'_> {
    let mut rig = Rig::default();
    let visited = visited(file, &mut rig.problems);
    let joints: std::collections::HashSet<usize> =
        file.skins().flat_map(|skin| skin.joints().map(|joint| joint.index()).collect::<Vec<_>>()).collect();
    let extensions = file.document.extensions().map(|map| serde_json::Value::Object(map.clone()));
    let vrm = extensions.as_ref().and_then(Vrm::from_extensions);
    // For every mesh of the rig: its node and its mesh in the file.
    let mut sources: Vec<(usize, usize)> = Vec::new();
    for (node, parent) in visited {
        let (translation, rotation, scale) = node.transform().decomposed();
        let name = node.name().map_or_else(|| format!("node {}", node.index()), str::to_owned);
        rig.nodes.push(RigNode {
            name: name.clone(),
            parent,
            translation: Vec3::from(translation),
            rotation: Quat::from_array(rotation),
            scale: Vec3::from(scale),
            bends_skin: joints.contains(&node.index()),
            part: vrm.as_ref().and_then(|vrm| vrm.part(node.index())),
        });
        if let Some((mesh, count)) = shaped(&node) {
            sources.push((node.index(), mesh.index()));
            let names = target_names(&mesh).unwrap_or_default();
            rig.add_mesh(name, &names, count, displacements(mesh, file.blob.as_deref()));
        }
    }
    rig.vrm = vrm.map(|vrm| vrm.placed(&sources));
    rig
}

/// The nodes of a file that are the nodes of its [`Rig`], in the same order, each with the place of the one above it.
pub(super) fn visited<'a>(file: &'a gltf::Gltf, problems: &mut Vec<String>) -> Vec<(gltf::Node<'a>, Option<usize>)> {
    let mut visited = Vec::new();
    let Some(scene) = file.default_scene().or_else(|| file.scenes().next()) else {
        problems.push("there is no scene in the file".into());
        return visited;
    };
    let mut queue: VecDeque<(gltf::Node<'_>, Option<usize>)> = scene.nodes().map(|node| (node, None)).collect();
    let mut seen = vec![false; file.nodes().len()];
    while let Some((node, parent)) = queue.pop_front() {
        // A node that is its own ancestor, in a file that may say anything.
        if core::mem::replace(&mut seen[node.index()], true) {
            problems.push(format!("node {} has two parents", node.index()));
            continue;
        }
        queue.extend(node.children().map(|child| (child, Some(visited.len()))));
        visited.push((node, parent));
    }
    visited
}

/// The mesh of a node and how many morph targets it has, if any.
pub(super) fn shaped<'a>(node: &gltf::Node<'a>) -> Option<(gltf::Mesh<'a>, usize)> {
    let mesh = node.mesh()?;
    let count = mesh.primitives().map(|primitive| primitive.morph_targets().len()).max().unwrap_or(0);
    (count > 0).then_some((mesh, count))
}

/// Reads the displacements of a mesh on demand, of all its primitives one after the other.
fn displacements<'a>(mesh: gltf::Mesh<'a>, blob: Option<&'a [u8]>) -> Option<Displacements<'a>> {
    let blob = blob?;
    Some(Box::new(move |shape| {
        let mut all = Vec::new();
        for primitive in mesh.primitives() {
            let count = primitive.get(&gltf::Semantic::Positions)?.count();
            match primitive.morph_targets().nth(shape).and_then(|target| target.positions()) {
                Some(accessor) => all.extend(read_vectors(&accessor, blob)?.into_iter().map(Vec3::from)),
                None => all.resize(all.len() + count, Vec3::ZERO),
            }
        }
        Some(all)
    }))
}
