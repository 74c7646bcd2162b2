//! VRM avatars: files that end in `.vrm`, and what they say of expressions and bones.

use bevy_app::{App, Plugin};
use bevy_asset::{AssetApp, AssetLoader, LoadContext, io::Reader};
use bevy_ecs::{
    component::Component,
    entity::Entity,
    reflect::ReflectComponent,
    world::{EntityWorldMut, World},
};
use bevy_gltf::{
    DefaultGltfImageSampler, Gltf, GltfError, GltfLoader, GltfLoaderSettings,
    extensions::{ErasedGltfExtensionHandler, GltfExtensionHandler, GltfExtensionHandlers},
};
use bevy_reflect::{Reflect, TypePath, std_traits::ReflectDefault};

/// Reads VRM avatars, of version 0 and 1: their expressions and the bones of their humanoid are bound before anything that a name
/// says. Files that end in `.vrm` load like those that end in `.glb`: `asset_server.load("avatar.vrm#Scene0")`.
///
/// An avatar of version 0 looks along -Z, one of version 1 along +Z. Materials (`MToon`), springs and constraints are not read. Disable
/// this plugin where another crate loads VRM.
#[derive(Debug, Clone, Copy, Default)]
pub struct VrmPlugin;

impl Plugin for VrmPlugin {
    fn build(&self, app: &mut App) {
        app.register_type::<VrmExtension>().register_type::<VrmNode>();
        // Headless tools may have no glTF at all.
        if let Some(handlers) = app.world().get_resource::<GltfExtensionHandlers>() {
            handlers.0.write_blocking().push(Box::new(Handler::default()));
            app.preregister_asset_loader::<VrmLoader>(&["vrm"]);
        }
    }

    fn finish(&self, app: &mut App) {
        let world = app.world();
        let (Some(handlers), Some(sampler)) =
            (world.get_resource::<GltfExtensionHandlers>(), world.get_resource::<DefaultGltfImageSampler>())
        else {
            return;
        };
        let formats = world.get_resource::<bevy_image::CompressedImageFormatSupport>();
        app.register_asset_loader(VrmLoader(GltfLoader {
            supported_compressed_formats: formats.map_or(bevy_image::CompressedImageFormats::NONE, |formats| formats.0),
            custom_vertex_attributes: Default::default(),
            default_sampler: sampler.get_internal(),
            default_convert_coordinates: Default::default(),
            extensions: handlers.0.clone(),
            default_skinned_mesh_bounds_policy: Default::default(),
        }));
    }
}

/// Loads `.vrm` as what it is: a glTF file.
#[derive(TypePath)]
struct VrmLoader(GltfLoader);

impl AssetLoader for VrmLoader {
    type Asset = Gltf;
    type Settings = GltfLoaderSettings;
    type Error = GltfError;

    async fn load(
        &self,
        reader: &mut dyn Reader,
        settings: &GltfLoaderSettings,
        context: &mut LoadContext<'_>,
    ) -> Result<Gltf, GltfError> {
        self.0.load(reader, settings, context).await
    }

    fn extensions(&self) -> &[&str] {
        &["vrm"]
    }
}

/// The extensions of a VRM file, on the root of its scene.
#[derive(Component, Reflect, Debug, Clone, Default)]
#[reflect(Component, Default)]
pub(super) struct VrmExtension {
    /// As JSON.
    pub(super) json: String,
}

/// Which node and which mesh of a VRM file an entity is.
#[derive(Component, Reflect, Debug, Clone, Copy, Default)]
#[reflect(Component, Default)]
pub(super) struct VrmNode {
    pub(super) node: usize,
    pub(super) mesh: Option<usize>,
}

/// Takes notes while a file loads.
#[derive(Debug, Clone, Default)]
struct Handler {
    /// The extensions of the file, if it is an avatar.
    json: Option<String>,
}

impl GltfExtensionHandler for Handler {
    fn dyn_clone(&self) -> Box<dyn ErasedGltfExtensionHandler> {
        Box::new(self.clone())
    }

    fn on_root(&mut self, _: &mut LoadContext<'_>, file: &gltf::Gltf, _: &GltfLoaderSettings) {
        let extensions = file.document.extensions();
        let is_avatar = extensions.is_some_and(|map| map.contains_key("VRM") || map.contains_key("VRMC_vrm"));
        self.json = extensions.filter(|_| is_avatar).and_then(|map| serde_json::to_string(map).ok());
    }

    fn on_gltf_node(&mut self, _: &mut LoadContext<'_>, node: &gltf::Node, entity: &mut EntityWorldMut) {
        if self.json.is_some() {
            entity.insert(VrmNode { node: node.index(), mesh: node.mesh().map(|mesh| mesh.index()) });
        }
    }

    fn on_scene_completed(&mut self, _: &mut LoadContext<'_>, _: &gltf::Scene, root: Entity, world: &mut World) {
        if let (Some(json), Ok(mut root)) = (&self.json, world.get_entity_mut(root)) {
            root.insert(VrmExtension { json: json.clone() });
        }
    }
}
