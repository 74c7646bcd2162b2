//! Binding a pose to a character: morph targets and joints, and the report about it.
//!
//! When the scene below a [`TalkingFace`] is ready, its shapes are matched by name and its joints
//! found by name; the result is a [`FaceRig`], the [`BindingReport`] says in words what was found and what is missing.
//! Every frame the rig writes exactly the weights and rotations it owns: other shapes, and the animation of the body, stay
//! as they are.

mod bind;
mod mesh;
mod visibility;
mod write;

use bevy_app::{App, Plugin, PostUpdate};
use bevy_ecs::{
    component::Component, entity::Entity, event::EntityEvent, lifecycle::Add, observer::On,
    schedule::IntoScheduleConfigs, system::Commands,
};
use bevy_math::Quat;
use talkie::retarget::Joint;

pub use mesh::BundleMeshes;
pub use visibility::MorphVisibilityPlugin;

use crate::{TalkieSystems, face::TalkingFace};

/// What was bound to what; Display gives it in one line. See [`talkie::retarget::BindingReport`].
#[derive(Component, Debug, Clone, Default, PartialEq, Eq)]
pub struct BindingReport(pub talkie::retarget::BindingReport);

/// The binding of a face to its character. Made by itself; remove it to have it made anew.
#[derive(Component, Debug, Default)]
pub struct FaceRig {
    shapes: Vec<ShapeNode>,
    joints: Vec<JointDrive>,
}

/// A node with morph weights, and which of them are ours.
#[derive(Debug)]
struct ShapeNode {
    node: Entity,
    /// Index of the weight and of the channel that drives it.
    targets: Vec<(u16, u8)>,
}

/// A joint that is turned.
#[derive(Debug)]
struct JointDrive {
    entity: Entity,
    joint: Joint,
    /// Orientation of the joint at rest within the character: turns of the face are given in the character's frame.
    orientation: Quat,
    /// The rotation ours is added to: that of the animation where there is one, else the rest.
    base: Quat,
    /// What was written last: anything else found there was written by somebody else.
    written: Option<Quat>,
}

impl FaceRig {
    /// Nodes whose morph weights this rig drives.
    pub fn shape_nodes(&self) -> impl Iterator<Item = Entity> {
        self.shapes.iter().map(|shapes| shapes.node)
    }

    /// Joints this rig turns.
    pub fn joints(&self) -> impl Iterator<Item = (Joint, Entity)> {
        self.joints.iter().map(|drive| (drive.joint, drive.entity))
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
        .add_systems(PostUpdate, (bind::bind, write::write, mesh::write).chain().in_set(TalkieSystems::Rig));
    }
}
