//! A work-around for a defect of Bevy 0.19.

use bevy_app::{App, Plugin, PostUpdate};
use bevy_camera::visibility::{ViewVisibility, VisibilitySystems};
use bevy_ecs::{
    change_detection::DetectChangesMut,
    entity::{Entity, EntityHashSet},
    query::With,
    schedule::IntoScheduleConfigs,
    system::{Local, Query},
};
use bevy_mesh::{Mesh3d, mark_3d_meshes_as_changed_if_their_assets_changed, morph::MeshMorphWeights};

/// Keeps morphs alive when a mesh comes back into view.
///
/// In Bevy 0.19 a mesh that leaves the view frees its morph descriptor, and gets its new one only when it is extracted
/// anew, which nothing causes: a plain (not skinned) head that was out of view, hidden, or spawned hidden shows its base
/// shape for ever. This plugin marks [`Mesh3d`] changed one frame after the mesh turned visible; one frame of base shape
/// remains. Disable it when Bevy is mended.
#[derive(Debug, Clone, Copy, Default)]
pub struct MorphVisibilityPlugin;

impl Plugin for MorphVisibilityPlugin {
    fn build(&self, app: &mut App) {
        app.add_systems(
            PostUpdate,
            revive
                .after(VisibilitySystems::MarkNewlyHiddenEntitiesInvisible)
                // Both only mark, so their order does not matter.
                .ambiguous_with(mark_3d_meshes_as_changed_if_their_assets_changed),
        );
    }
}

/// Marks those that turned visible in the frame before.
fn revive(
    mut meshes: Query<(Entity, &ViewVisibility, &mut Mesh3d), With<MeshMorphWeights>>,
    mut seen: Local<EntityHashSet>,
    mut fresh: Local<EntityHashSet>,
) {
    for (entity, visibility, mut mesh) in &mut meshes {
        if fresh.remove(&entity) {
            mesh.set_changed();
        }
        if !visibility.get() {
            seen.remove(&entity);
        } else if seen.insert(entity) {
            fresh.insert(entity);
        }
    }
    // Entities that no longer exist must not pile up.
    if seen.len() > 2 * meshes.iter().len() + 64 {
        seen.retain(|entity| meshes.contains(*entity));
        fresh.clear();
    }
}

#[cfg(test)]
mod tests {
    use bevy_app::Last;
    use bevy_ecs::{query::Changed, resource::Resource, system::ResMut};

    use super::*;

    #[derive(Resource, Default)]
    struct Marked(Vec<bool>);

    #[test]
    fn a_mesh_that_turns_visible_is_marked_once_in_the_next_frame() {
        let mut app = App::new();
        app.init_resource::<Marked>().add_plugins(MorphVisibilityPlugin).add_systems(
            Last,
            |changed: Query<(), Changed<Mesh3d>>, mut marked: ResMut<Marked>| {
                marked.0.push(!changed.is_empty());
            },
        );
        let mesh = app
            .world_mut()
            .spawn((Mesh3d::default(), MeshMorphWeights::Value { weights: vec![0.0] }, ViewVisibility::HIDDEN))
            .id();
        for visible in [false, true, true, true, false, true, true, true] {
            let visibility = if visible { ViewVisibility::VISIBLE } else { ViewVisibility::HIDDEN };
            app.world_mut().entity_mut(mesh).insert(visibility);
            app.update();
        }
        // The first frame sees the spawned mesh itself as changed.
        assert_eq!(app.world().resource::<Marked>().0, [true, false, true, false, false, false, true, false]);
    }
}
