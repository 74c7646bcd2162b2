//! Who moves a region of a face where the character's own animation moves it too.

use bevy_ecs::component::Component;
use talkie::animation::FaceRegion;

/// How a face shares a region with the animation clips of its character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authority {
    /// The face alone: what a clip says is covered.
    #[default]
    Face,
    /// Both: what the face says is added to what the clip says.
    Both,
    /// The clip alone: the face is not shown.
    Clip,
}

impl Authority {
    /// How much of the face and how much of the clip there is to be.
    const fn shares(self) -> (f32, f32) {
        match self {
            Self::Face => (1.0, 0.0),
            Self::Both => (1.0, 1.0),
            Self::Clip => (0.0, 1.0),
        }
    }
}

/// Who moves each region of a face where an animation clip of the character moves the same shapes or joints: comes with every
/// [`TalkingFace`](crate::face::TalkingFace). Changes are eased.
///
/// A weight or joint that no clip writes is at rest as far as the clip is concerned.
#[derive(Component, Debug, Clone, PartialEq)]
pub struct FaceAuthority {
    /// Jaw, lips, tongue, cheeks and nose. Default [`Authority::Face`].
    pub mouth: Authority,
    /// Lids and gaze. Default [`Authority::Face`].
    pub eyes: Authority,
    /// Default [`Authority::Face`].
    pub brows: Authority,
    /// Head and neck. Default [`Authority::Both`]: nods are added to how the body holds the head.
    pub head: Authority,
    /// Seconds that a change takes. Default 0.2.
    pub easing: f32,
}

impl Default for FaceAuthority {
    fn default() -> Self {
        Self {
            mouth: Authority::Face,
            eyes: Authority::Face,
            brows: Authority::Face,
            head: Authority::Both,
            easing: 0.2,
        }
    }
}

impl FaceAuthority {
    /// Who moves a region.
    pub fn of(&self, region: FaceRegion) -> Authority {
        match region {
            FaceRegion::Mouth => self.mouth,
            FaceRegion::Eyes => self.eyes,
            FaceRegion::Brows => self.brows,
            FaceRegion::Head => self.head,
        }
    }
}

/// The shares of face and clip of every region, on their way to what is declared.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Shares(Option<[(f32, f32); FaceRegion::ALL.len()]>);

impl Shares {
    /// Goes on for so many seconds; tells whether anything changed. The first time it arrives at once.
    pub(super) fn advance(&mut self, authority: &FaceAuthority, seconds: f32) -> bool {
        let goal = FaceRegion::ALL.map(|region| authority.of(region).shares());
        let Some(shares) = &mut self.0 else {
            self.0 = Some(goal);
            return true;
        };
        let step = if authority.easing > 0.0 { seconds / authority.easing } else { 1.0 };
        let before = *shares;
        for (share, goal) in shares.iter_mut().zip(goal) {
            let towards = |now: f32, goal: f32| now + (goal - now).clamp(-step, step);
            *share = (towards(share.0, goal.0), towards(share.1, goal.1));
        }
        *shares != before
    }

    /// Shares of the face and of the clip in a region.
    pub(super) fn of(&self, region: FaceRegion) -> (f32, f32) {
        self.0.map_or((1.0, 0.0), |shares| shares[region as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_go_to_what_is_declared_in_the_time_that_is_set() {
        let mut authority = FaceAuthority::default();
        let mut shares = Shares::default();
        assert!(shares.advance(&authority, 0.01));
        assert_eq!((shares.of(FaceRegion::Mouth), shares.of(FaceRegion::Head)), ((1.0, 0.0), (1.0, 1.0)));
        assert!(!shares.advance(&authority, 0.01));
        authority.mouth = Authority::Clip;
        assert!(shares.advance(&authority, 0.05));
        assert_eq!(shares.of(FaceRegion::Mouth), (0.75, 0.25));
        (0..4).for_each(|_| {
            shares.advance(&authority, 0.05);
        });
        assert_eq!(shares.of(FaceRegion::Mouth), (0.0, 1.0));
        authority.mouth = Authority::Face;
        authority.easing = 0.0;
        shares.advance(&authority, 0.0);
        assert_eq!(shares.of(FaceRegion::Mouth), (1.0, 0.0));
    }
}
