//! A template laid upon a head, and what its channels do there.

use glam::{Mat3, Vec3};

use super::{
    FaceTemplate, Head, TransferError,
    deformation::{Deformer, changes},
    head::{Part, normals_of},
    registration::{Index, Similarity, Surface, TURNED, align, drape, index_of},
};
use crate::animation::FaceChannel;

/// A template that lies upon a head, and what each of its channels does to that.
#[derive(Debug)]
pub struct FaceFit<'a> {
    pub(super) template: &'a FaceTemplate,
    pub(super) head: &'a Head,
    /// The points of the head that are its inner lips, upper and lower.
    pub(super) lips: [u32; 2],
    pub(super) place: Similarity,
    pub(super) channels: Vec<FaceChannel>,
    /// For each channel and each part of the head the displacements of its vertices, in the axes of the template: nothing where it is
    /// left alone.
    pub(super) carried: Vec<Vec<Option<Vec<Vec3>>>>,
    confidence: f32,
}

/// How the skin of a head follows that of the template.
struct Skin {
    /// Parts of the head that it is made of.
    parts: Vec<bool>,
    /// The place in the deformer of each point of the head.
    number: Vec<u32>,
    places: Vec<Vec3>,
    deformer: Deformer,
    /// The triangle of the template for each of the skin, if there is one.
    counterparts: Vec<Option<u32>>,
    /// For each point of the skin up to three of the template and their shares.
    near: Vec<[(u32, f32); 3]>,
}

/// What a part that is not skin follows.
#[derive(Debug)]
enum Follow {
    /// Nothing.
    Still,
    /// The skin that it sits on: for each vertex points of the deformer.
    Skin(Vec<[(u32, f32); 3]>),
    /// A part of the template: for each vertex points of that.
    Other(usize, Vec<[(u32, f32); 3]>),
}

/// How much of the template's face must lie on something.
const NEEDED: f32 = 0.6;
/// A triangle has a counterpart within this reach, in distances between the eyes.
const COUNTERPART: f32 = 0.25;
/// What is not skin follows what is within this reach.
const ATTACHED: f32 = 0.3;
/// This many vertices of a part say what it follows.
const VOTERS: usize = 300;
/// The share of the face that a part must have to be skin of it, of what the largest has.
const SKIN: f32 = 0.1;

impl FaceTemplate {
    /// Lays the template upon a head.
    ///
    /// # Errors
    /// [`TransferError::NoFace`] if nothing there resembles it.
    pub fn fit<'a>(&'a self, head: &'a Head) -> Result<FaceFit<'a>, TransferError> {
        let no_face = |share: f32| TransferError::NoFace { found: share * 100.0, needed: NEEDED * 100.0 };
        let first = super::guess::guesses(self, head);
        let aligned = first.into_iter().map(|guess| align(self, head, guess));
        let merit = |(_, wrong, share): &(Similarity, f32, f32)| wrong + 0.3 * (1.0 - share);
        let (place, _, share) = aligned
            .min_by(|a, b| merit(a).total_cmp(&merit(b)))
            .filter(|found| found.1 < f32::MAX)
            .ok_or(no_face(0.0))?;
        if share < NEEDED {
            return Err(no_face(share));
        }
        // Whose triangles lie where the face is.
        let all = Surface::new(head, &place, TURNED.0, |_| true);
        let mut owner = vec![u32::MAX; head.points.len()];
        head.triangles
            .iter()
            .zip(&head.owners)
            .for_each(|(corners, part)| corners.iter().for_each(|c| owner[*c as usize] = *part));
        let mut hits = vec![0_usize; head.parts.len()];
        for point in self.face() {
            let hit = all.closest(self.points[point], self.normals[point], COUNTERPART, 0.5);
            if let Some(hits) = hit.and_then(|(found, _)| hits.get_mut(owner[found] as usize)) {
                *hits += 1;
            }
        }
        let most = hits.iter().copied().max().unwrap_or(0);
        let skin: Vec<bool> = hits.iter().map(|hits| *hits > 0 && *hits as f32 >= SKIN * most as f32).collect();
        let outside = points_of(head, &skin);
        let surface = Surface::new(head, &place, TURNED.1, |point| outside[point]);
        let (draped, found) = drape(self, &surface);
        let (lying, count) =
            self.face().fold((0.0, 0.0), |(lying, count), p| (lying + f32::from(u8::from(found[p])), count + 1.0));
        let confidence = lying / f32::max(count, 1.0);
        if confidence < NEEDED {
            return Err(no_face(confidence));
        }
        let skin = self.skin(head, &surface, &skin, &draped);
        let others = self.others(head, &surface, &draped, &skin);
        let carried = (0..self.channels.len()).map(|channel| self.carried(head, channel, &skin, &others)).collect();
        let channels = self.channels.iter().map(|(channel, _)| *channel).collect();
        let normals = normals_of(&draped, &self.triangles);
        let lip = |lip: u32| {
            let lip = lip as usize;
            surface.closest(draped[lip], normals[lip], COUNTERPART, 0.0).map(|(point, _)| point as u32)
        };
        let [upper, lower] = self.lips.map(lip);
        let lips = [upper.ok_or(no_face(confidence))?, lower.ok_or(no_face(confidence))?];
        Ok(FaceFit { template: self, head, lips, place, channels, carried, confidence })
    }

    /// How the skin of a head follows that of the draped template; `outer` are the parts that it is made of, but for the lining of the mouth.
    fn skin(&self, head: &Head, surface: &Surface, outer: &[bool], draped: &[Vec3]) -> Skin {
        let outside = points_of(head, outer);
        // What is sewn to it and lies there is of it, too: the lining of the mouth.
        let (least, most) =
            self.points.iter().fold((Vec3::MAX, Vec3::MIN), |(a, b), point| (a.min(*point), b.max(*point)));
        let is_there = |part: usize| {
            let points = &head.parts[part].points;
            let inside = points.iter().map(|point| surface.points[*point as usize]);
            2 * inside.filter(|at| at.cmpge(least).all() && at.cmple(most).all()).count() > points.len()
        };
        let sewn = |part: usize| (0..outer.len()).any(|other| outer[other] && head.is_sewn(part, other));
        let lining: Vec<bool> = (0..outer.len()).map(|part| !outer[part] && is_there(part) && sewn(part)).collect();
        let has_lining = lining.contains(&true);
        let parts: Vec<bool> = outer.iter().zip(&lining).map(|(outer, lining)| *outer || *lining).collect();
        // The skin alone, numbered anew.
        let mut number = vec![u32::MAX; head.points.len()];
        let mut points: Vec<u32> = Vec::new();
        let mut triangles = Vec::new();
        let mut inner = Vec::new();
        for (corners, part) in head.triangles.iter().zip(&head.owners).filter(|(_, part)| parts[**part as usize]) {
            inner.push(lining[*part as usize]);
            triangles.push(corners.map(|corner| {
                let number = &mut number[corner as usize];
                if *number == u32::MAX {
                    *number = points.len() as u32;
                    points.push(corner);
                }
                *number
            }));
        }
        let places: Vec<Vec3> = points.iter().map(|point| surface.points[*point as usize]).collect();
        let normals: Vec<Vec3> = points.iter().map(|point| surface.normals[*point as usize]).collect();
        let normal_of = |places: &[Vec3], corners: &[u32; 3]| {
            let [a, b, c] = corners.map(|corner| places[corner as usize]);
            (b - a).cross(c - a).normalize_or_zero()
        };
        let centre =
            |places: &[Vec3], corners: &[u32; 3]| corners.iter().map(|c| places[*c as usize]).sum::<Vec3>() / 3.0;
        let faces: Vec<Vec3> = self.triangles.iter().map(|corners| normal_of(draped, corners)).collect();
        let centres =
            index_of(self.triangles.iter().enumerate().map(|(i, corners)| (i as u32, centre(draped, corners))));
        // Lining goes with lining, where the head tells it from the rest.
        let is_like = |lining: bool, inner: bool| !has_lining || lining == inner;
        let counterparts = triangles
            .iter()
            .zip(&inner)
            .map(|(corners, inner)| {
                let normal = corners.iter().map(|c| normals[*c as usize]).sum::<Vec3>().normalize_or_zero();
                let counts = |triangle: usize| {
                    faces[triangle].dot(normal) > 0.3 && is_like(triangle >= self.outer_triangles, *inner)
                };
                near_facing(&centres, centre(&places, corners), counts)
            })
            .collect();
        let draped_normals = normals_of(draped, &self.triangles);
        let template_points = index_of(draped.iter().enumerate().map(|(i, p)| (i as u32, *p)));
        let near = places
            .iter()
            .zip(&normals)
            .zip(&points)
            .map(|((place, normal), point)| {
                nearest(&template_points, *place, COUNTERPART, |p| {
                    draped_normals[p].dot(*normal) > 0.0 && is_like(p >= self.outer, !outside[*point as usize])
                })
            })
            .collect();
        let deformer = Deformer::new(&places, triangles);
        Skin { parts, number, places, deformer, counterparts, near }
    }

    /// What is not skin follows what it is most like: the skin it sits on, or a part of the template that lies there.
    fn others(&self, head: &Head, surface: &Surface, draped: &[Vec3], skin: &Skin) -> Vec<Follow> {
        let numbered = |points: &[Vec3]| index_of(points.iter().enumerate().map(|(i, p)| (i as u32, *p)));
        let at_rest = numbered(&self.points);
        // The other parts of the template go where the skin about them went.
        let went: Vec<Vec3> = draped.iter().zip(&self.points).map(|(to, from)| *to - *from).collect();
        let warped = |point: &Vec3| *point + blend(&nearest(&at_rest, *point, 2.0, |_| true), &went);
        let all = core::iter::once(numbered(&skin.places));
        let indices: Vec<Index> = all
            .chain(self.others.iter().map(|other| numbered(&other.points.iter().map(warped).collect::<Vec<_>>())))
            .collect();
        let distance = |index: &Index, at: Vec3| {
            index.nearest_neighbor_iter_with_distance_2(at.to_array()).next().map_or(f32::MAX, |(_, distance)| distance)
        };
        let follow = |(part, is_skin): (&Part, &bool)| {
            if *is_skin {
                return Follow::Still;
            }
            let places: Vec<Vec3> = part.points.iter().map(|point| surface.points[*point as usize]).collect();
            // Its vertices vote for what they are closest to.
            let mut votes = vec![0_usize; indices.len()];
            let every = places.len().div_ceil(VOTERS).max(1);
            for place in places.iter().step_by(every) {
                let all = indices.iter().map(|index| distance(index, *place)).enumerate();
                let best = all.min_by(|a, b| a.1.total_cmp(&b.1));
                if let Some((winner, _)) = best.filter(|(_, distance)| *distance < ATTACHED * ATTACHED) {
                    votes[winner] += 1;
                }
            }
            let (winner, count) = votes.iter().copied().enumerate().max_by_key(|vote| vote.1).unwrap_or((0, 0));
            let near = || places.iter().map(|place| nearest(&indices[winner], *place, ATTACHED, |_| true)).collect();
            match winner {
                _ if 3 * count * every < places.len() => Follow::Still,
                0 => Follow::Skin(near()),
                other => Follow::Other(other - 1, near()),
            }
        };
        head.parts.iter().zip(&skin.parts).map(follow).collect()
    }

    /// What a channel, by its index, does to the vertices of each part of a head.
    fn carried(&self, head: &Head, channel: usize, skin: &Skin, others: &[Follow]) -> Vec<Option<Vec<Vec3>>> {
        let (_, moved) = &self.channels[channel];
        let changes = changes(&self.points, moved, &self.triangles);
        let change = |counterpart: &Option<u32>| counterpart.map_or(Mat3::ZERO, |triangle| changes[triangle as usize]);
        let of_triangles: Vec<Mat3> = skin.counterparts.iter().map(change).collect();
        let towards: Vec<Vec3> = skin.near.iter().map(|shares| blend(shares, moved)).collect();
        let is_still = moved.iter().all(|moved| *moved == Vec3::ZERO);
        let of_skin = if is_still { towards } else { skin.deformer.solve(&of_triangles, &towards) };
        let of_point = |point: &u32| of_skin.get(skin.number[*point as usize] as usize).copied().unwrap_or(Vec3::ZERO);
        let part = |((part, is_skin), follow): ((&Part, &bool), &Follow)| match follow {
            _ if *is_skin => Some(part.points.iter().map(of_point).collect()),
            Follow::Still => None,
            Follow::Skin(near) => Some(near.iter().map(|shares| blend(shares, &of_skin)).collect()),
            Follow::Other(other, near) => {
                let moved = self.others[*other].moved[channel].as_ref()?;
                Some(near.iter().map(|shares| blend(shares, moved)).collect())
            }
        };
        head.parts.iter().zip(&skin.parts).zip(others).map(part).collect()
    }
}

/// Which points are of some parts of a head.
fn points_of(head: &Head, parts: &[bool]) -> Vec<bool> {
    let mut all = vec![false; head.points.len()];
    for (part, _) in head.parts.iter().zip(parts).filter(|(_, is_meant)| **is_meant) {
        part.points.iter().for_each(|point| all[*point as usize] = true);
    }
    all
}

/// The closest of some triangles that counts.
fn near_facing(centres: &Index, at: Vec3, counts: impl Fn(usize) -> bool) -> Option<u32> {
    centres
        .nearest_neighbor_iter_with_distance_2(at.to_array())
        .take(64)
        .take_while(|(_, distance)| *distance <= COUNTERPART * COUNTERPART)
        .find(|(found, _)| counts(found.data as usize))
        .map(|(found, _)| found.data)
}

/// Up to three of the closest points that count and how much each does: the closer, the more. Shares are 0 where there are none.
fn nearest(index: &Index, at: Vec3, reach: f32, counts: impl Fn(usize) -> bool) -> [(u32, f32); 3] {
    let mut found = [(0, 0.0); 3];
    let near = index
        .nearest_neighbor_iter_with_distance_2(at.to_array())
        .take(32)
        .take_while(|(_, distance)| *distance <= reach * reach)
        .filter(|(point, _)| counts(point.data as usize));
    let mut sum = 0.0;
    for (slot, (point, distance)) in found.iter_mut().zip(near) {
        *slot = (point.data, 1.0 / (distance + 1e-6));
        sum += slot.1;
    }
    if sum > 0.0 {
        found.iter_mut().for_each(|(_, share)| *share /= sum);
    }
    found
}

/// The mean that shares ask for.
fn blend(shares: &[(u32, f32); 3], moved: &[Vec3]) -> Vec3 {
    shares.iter().map(|(point, share)| if *share > 0.0 { moved[*point as usize] * *share } else { Vec3::ZERO }).sum()
}

impl FaceFit<'_> {
    /// How much of the template's face lies on the head, 0..=1.
    pub fn confidence(&self) -> f32 {
        self.confidence
    }

    /// What can be carried over.
    pub fn channels(&self) -> &[FaceChannel] {
        &self.channels
    }
}
