//! Binding a pose to a character: morph targets and joints, and the report about it.
//!
//! When the scene below a [`TalkingFace`] is ready, its shapes and joints are found by the names that a [`RigProfile`] declares,
//! built in or the game's own; the result is a [`FaceRig`], the [`BindingReport`] says in words what was found and what is missing.
//! Every frame the rig writes exactly the weights and rotations it owns: other shapes, and the animation of the body, stay
//! as they are.

mod authority;
mod bind;
mod mesh;
mod profile;
mod visibility;
#[cfg(feature = "vrm")]
mod vrm;
mod write;

use bevy_app::{App, Plugin, PostUpdate};
use bevy_asset::{AssetApp, AssetEventSystems, AssetId};
use bevy_ecs::{
    component::Component, entity::Entity, event::EntityEvent, lifecycle::Add, observer::On,
    schedule::IntoScheduleConfigs, system::Commands,
};
use talkie::retarget::{Binding, Joint};

pub use authority::{Authority, FaceAuthority};
pub use mesh::BundleMeshes;
pub use profile::{RigProfile, RigProfileError, RigProfiles};
pub use visibility::MorphVisibilityPlugin;
#[cfg(feature = "vrm")]
pub use vrm::VrmPlugin;

use self::authority::Shares;
use crate::{TalkieSystems, face::TalkingFace};

/// What was bound to what; Display gives it in one line. See [`talkie::retarget::BindingReport`].
#[derive(Component, Debug, Clone, Default, PartialEq)]
pub struct BindingReport(pub talkie::retarget::BindingReport);

/// The binding of a face to its character. Made by itself; remove it to have it made anew.
#[derive(Component, Debug, Default)]
pub struct FaceRig {
    binding: Binding,
    /// The entity of every mesh of the binding.
    nodes: Vec<Entity>,
    /// The entity of every joint of the binding.
    joints: Vec<Entity>,
    shares: Shares,
    /// Whether there is something new to write.
    moved: bool,
    /// The profile that the face asked for when it was bound.
    profile: Option<AssetId<RigProfile>>,
}

impl FaceRig {
    /// Nodes whose morph weights this rig drives.
    pub fn shape_nodes(&self) -> impl Iterator<Item = Entity> {
        self.nodes.iter().copied()
    }

    /// Joints this rig moves.
    pub fn joints(&self) -> impl Iterator<Item = (Joint, Entity)> {
        self.binding.joints().iter().map(|drive| drive.joint).zip(self.joints.iter().copied())
    }

    /// The joint of the head, if it moves one.
    pub fn head(&self) -> Option<Entity> {
        self.joints().find_map(|(joint, entity)| (joint == Joint::Head).then_some(entity))
    }
}

/// A character was bound: its [`FaceRig`] and [`BindingReport`] are there.
#[derive(EntityEvent, Debug, Clone)]
pub struct FaceBound {
    /// The entity with the [`TalkingFace`].
    pub entity: Entity,
}

/// A face whose character is not bound yet.
#[derive(Component, Debug, Clone, Copy)]
struct Unbound {
    /// The scene is complete: what is missing now will not come.
    scene_ready: bool,
}

/// Binds characters and writes to them. See [`TalkiePlugins`](crate::TalkiePlugins).
#[derive(Debug, Clone, Copy, Default)]
pub struct RigPlugin;

impl Plugin for RigPlugin {
    fn build(&self, app: &mut App) {
        app.add_observer(|added: On<Add, TalkingFace>, mut commands: Commands| {
            commands.entity(added.entity).insert(Unbound { scene_ready: false });
        })
        .add_observer(bind::scene_ready)
        .add_observer(bind::rig_removed)
        .init_resource::<RigProfiles>()
        .add_systems(
            PostUpdate,
            (
                bind::profiles_changed.after(AssetEventSystems),
                bind::release,
                bind::bind,
                write::note_clips,
                write::follow,
                (write::write_weights, write::write_joints),
                mesh::write,
            )
                .chain()
                .in_set(TalkieSystems::Rig),
        );
        if app.world().contains_resource::<bevy_asset::AssetServer>() {
            app.init_asset::<RigProfile>().init_asset_loader::<profile::RigProfileLoader>();
        }
    }
}
