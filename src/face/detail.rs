//! How much is done for a face, and who decides it.

use bevy_camera::{Camera, Projection};
use bevy_ecs::{
    change_detection::DetectChangesMut,
    component::Component,
    entity::Entity,
    resource::Resource,
    system::{Local, Query, Res},
};
use bevy_math::Vec3;
use bevy_transform::components::GlobalTransform;

use crate::{
    ease::ease,
    inference::{InferenceBudget, InferenceStats},
    rig::FaceRig,
    voice::Voice,
};

/// Time in which layers and faces come and go, in seconds: nothing pops.
const FADE: f32 = 0.25;
/// Faces are looked at anew in every so many-th frame.
const PERIOD: u32 = 8;
/// The part of the budget that faces are given; the rest is for those that begin.
const GIVEN: f64 = 0.8;
/// How much bigger a face that has no network must be than one that has, to take it over.
const TAKES_OVER: f32 = 1.25;

/// How much is done for a face, beside its [`TalkingFace`](super::TalkingFace): set it, or let [`AutoDetail`] do so. Changes are
/// eased within a quarter of a second.
///
/// | | network | poses | layers |
/// |---|---|---|---|
/// | `Full` | yes | every frame | all |
/// | `Half` | yes | every second frame | all |
/// | `Mouth` | yes | every second frame | speech |
/// | `Level` | no | every second frame | a jaw that follows loudness |
/// | `Off` | no | none | rest |
///
/// Sound is heard in any case. Poses that a network has computed ahead are shown where there is no network any more, and a network
/// that begins in the middle of a line hears the second before, so that it knows what is said. Of a stream, what was pushed is animated
/// from the moment that is heard; a live voice from its newest sound.
#[derive(Component, Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaceDetail {
    /// Everything.
    #[default]
    Full,
    /// Everything in every second frame, interpolated for that moment: half the work of layers, rig and renderer.
    Half,
    /// Speech alone: no emotions, expressions, blinks, gaze and nods.
    Mouth,
    /// The jaw follows loudness.
    Level,
    /// The face rests.
    Off,
}

impl FaceDetail {
    /// All of them, most detailed first.
    pub const ALL: [Self; 5] = [Self::Full, Self::Half, Self::Mouth, Self::Level, Self::Off];

    /// Whether a network animates the face.
    pub fn has_network(self) -> bool {
        self < Self::Level
    }
}

/// Lets [`DetailSettings`] choose the [`FaceDetail`] of a face by how big it is on the screen and how many can be afforded.
#[derive(Component, Debug, Clone, Copy, PartialEq)]
#[require(FaceDetail)]
pub struct AutoDetail {
    /// Factor on its size: whoever matters more is more detailed from further away, and comes first where not all can be
    /// afforded. Default 1.
    pub importance: f32,
}

impl Default for AutoDetail {
    fn default() -> Self {
        Self { importance: 1.0 }
    }
}

/// How the [`FaceDetail`] of faces with [`AutoDetail`] is chosen.
#[derive(Resource, Debug, Clone, Copy, PartialEq)]
pub struct DetailSettings {
    /// The least heights of a head for `Full`, `Half`, `Mouth` and `Level`, as parts of the height of the screen. Smaller ones are
    /// `Off`, and so are those that no active camera sees. Default 0.08, 0.04, 0.02 and 0.01.
    pub sizes: [f32; 4],
    /// Height of a head in metres, times the scale of the face. Default 0.25.
    pub head_height: f32,
    /// By which part of a size a head must be beyond it before anything changes. Default 0.15.
    pub hysteresis: f32,
    /// Whether faces do without network where the [`InferenceBudget`] is not enough for all that speak; the smallest
    /// first. Default `true`.
    pub keeps_to_budget: bool,
}

impl Default for DetailSettings {
    fn default() -> Self {
        Self { sizes: [0.08, 0.04, 0.02, 0.01], head_height: 0.25, hysteresis: 0.15, keeps_to_budget: true }
    }
}

impl DetailSettings {
    /// The detail of a head of this size that has another one now.
    fn of(&self, size: f32, now: FaceDetail) -> FaceDetail {
        let level = |size: f32| {
            let level = self.sizes.iter().position(|least| size >= *least).unwrap_or(self.sizes.len());
            FaceDetail::ALL[level]
        };
        let hysteresis = if self.hysteresis.is_finite() { self.hysteresis.max(0.0) } else { 0.0 };
        // What it would be if it were a little bigger, and a little smaller: what lies between stays.
        let (most, least) = (level(size * (1.0 + hysteresis)), level(size / (1.0 + hysteresis)));
        now.clamp(most, least)
    }
}

/// A face and how it is seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    face: Entity,
    /// Its size times its importance.
    rank: f32,
    detail: FaceDetail,
    speaks: bool,
}

/// A face that wants it, and where it is.
type Chosen = (
    Entity,
    &'static AutoDetail,
    &'static mut FaceDetail,
    &'static Voice,
    &'static GlobalTransform,
    Option<&'static FaceRig>,
);

/// Chooses the detail of every face that wants it.
pub(super) fn choose(
    mut faces: Query<Chosen>,
    places: Query<&GlobalTransform>,
    cameras: Query<(&Camera, &Projection, &GlobalTransform)>,
    settings: Res<DetailSettings>,
    (budget, stats): (Res<InferenceBudget>, Res<InferenceStats>),
    mut frame: Local<u32>,
    mut seen: Local<Vec<Seen>>,
) {
    let is_due = frame.is_multiple_of(PERIOD);
    *frame = frame.wrapping_add(1);
    if !is_due {
        return;
    }
    seen.clear();
    for (face, auto, detail, voice, place, rig) in &faces {
        let head = rig.and_then(FaceRig::head).and_then(|head| places.get(head).ok()).unwrap_or(place);
        let height = settings.head_height * place.scale().abs().max_element();
        let size = cameras
            .iter()
            .filter(|(camera, ..)| camera.is_active)
            .map(|(_, projection, camera)| size_on_screen(head.translation(), height, projection, camera))
            .fold(0.0, f32::max);
        let rank = size * if auto.importance.is_finite() { auto.importance.max(0.0) } else { 1.0 };
        seen.push(Seen { face, rank, detail: settings.of(rank, *detail), speaks: !voice.is_idle() });
    }
    if settings.keeps_to_budget && stats.recent_factor > 0.0 {
        let affordable = (GIVEN * budget.load / stats.recent_factor) as usize;
        keep_to(&mut seen, affordable, |face| faces.get(face).is_ok_and(|(_, _, detail, ..)| detail.has_network()));
    }
    for Seen { face, detail, .. } in seen.drain(..) {
        if let Ok((_, _, mut now, ..)) = faces.get_mut(face) {
            now.set_if_neq(detail);
        }
    }
}

/// Leaves networks to so many of those who speak.
fn keep_to(seen: &mut [Seen], affordable: usize, has_network: impl Fn(Entity) -> bool) {
    let speaks = |face: &Seen| face.speaks && face.detail.has_network();
    if seen.iter().filter(|face| speaks(face)).count() <= affordable {
        return;
    }
    let rank = |face: &Seen| face.rank * if has_network(face.face) { TAKES_OVER } else { 1.0 };
    seen.sort_unstable_by(|a, b| rank(b).total_cmp(&rank(a)).then(a.face.cmp(&b.face)));
    seen.iter_mut().filter(|face| speaks(face)).skip(affordable).for_each(|face| face.detail = FaceDetail::Level);
}

/// Height of a head on the screen as a part of its height; 0 if it is not seen.
fn size_on_screen(head: Vec3, height: f32, projection: &Projection, camera: &GlobalTransform) -> f32 {
    let clip_from_view = projection.get_clip_from_view();
    let view = camera.affine().inverse().transform_point3(head);
    let clip = clip_from_view * view.extend(1.0);
    if clip.w <= 0.0 || !clip.is_finite() {
        return 0.0;
    }
    // As far beyond the edge as it is big, twice: hair, and whoever turns the camera.
    let (across, up) = (clip_from_view.x_axis.x.abs() * height, clip_from_view.y_axis.y.abs() * height);
    let is_inside = clip.x.abs() <= clip.w + 2.0 * across && clip.y.abs() <= clip.w + 2.0 * up;
    if is_inside { up / (2.0 * clip.w) } else { 0.0 }
}

/// How far a face is on its way from one detail to another.
#[derive(Component, Debug, Clone, Copy, Default)]
pub(crate) struct DetailState {
    /// How much of all but speech is seen, 0..=1, and of the face at all; nobody knows before the first frame.
    shares: Option<(f32, f32)>,
    /// Seconds since the last pose.
    behind: f32,
    /// Frames since then.
    skipped: u32,
}

/// What is to be done in a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Work {
    /// Seconds since the last pose.
    pub(super) delta: f32,
    /// How much of all but speech is seen, 0..=1.
    pub(super) layers: f32,
    /// How much of the face is seen, 0..=1.
    pub(super) shown: f32,
}

impl DetailState {
    /// Lets `delta` seconds pass; `None` if the face keeps its pose in this frame.
    pub(super) fn advance(&mut self, face: Entity, detail: FaceDetail, delta: f32) -> Option<Work> {
        let share = |seen: bool| if seen { 1.0 } else { 0.0 };
        let goals = (share(detail < FaceDetail::Mouth), share(detail < FaceDetail::Off));
        let is_first = self.shares.is_none();
        let (layers, shown) = self.shares.get_or_insert(goals);
        self.behind += delta;
        let was_shown = *shown > 0.0;
        let step = delta / FADE;
        *layers += (goals.0 - *layers).clamp(-step, step);
        *shown += (goals.1 - *shown).clamp(-step, step);
        if !was_shown && goals.1 == 0.0 && !is_first {
            self.behind = 0.0;
            return None;
        }
        // Neighbours have their turn in different frames.
        let turn = self.skipped > 0 || (is_first && face.index_u32().is_multiple_of(2));
        if detail != FaceDetail::Full && *shown == 1.0 && !turn {
            self.skipped += 1;
            return None;
        }
        self.skipped = 0;
        Some(Work { delta: core::mem::take(&mut self.behind), layers: ease(*layers), shown: ease(*shown) })
    }
}

#[cfg(test)]
mod tests;
