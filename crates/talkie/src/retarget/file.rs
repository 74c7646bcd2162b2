//! glTF files, as far as shapes are concerned.

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
