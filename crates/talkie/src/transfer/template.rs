//! The face whose shapes are known.

use glam::Vec3;

use super::{Head, TransferError, head::normals_of, registration::STILL};
use crate::{
    animation::FaceChannel,
    metrics::LipMesh,
    retarget::{match_shape, open_gltf},
};

/// A face whose shapes have the names of the channels: what they do is carried over to others. The default characters are such.
#[derive(Debug)]
pub struct FaceTemplate {
    /// Points of its skin, in distances between its eyes, from the middle between them, in its left, up and forward axes.
    pub(super) points: Vec<Vec3>,
    pub(super) triangles: Vec<[u32; 3]>,
    pub(super) normals: Vec<Vec3>,
    /// What each channel does to each point of the skin.
    pub(super) channels: Vec<(FaceChannel, Vec<Vec3>)>,
    /// Everything else of the character: teeth, tongue, eyes, lashes, hair, clothes.
    pub(super) others: Vec<Other>,
    /// This many of the points, the first ones, are not of the lining of the mouth.
    pub(super) outer: usize,
    /// And this many of the triangles.
    pub(super) outer_triangles: usize,
    /// The inner lips on the middle line, upper and lower.
    pub(super) lips: [u32; 2],
    /// How far each point of the skin is moved by whichever channel moves it furthest.
    pub(super) reach: Vec<f32>,
}

/// A part of a character that is not its skin.
#[derive(Debug)]
pub(super) struct Other {
    pub(super) points: Vec<Vec3>,
    /// What each of the template's channels does to it, if anything.
    pub(super) moved: Vec<Option<Vec<Vec3>>>,
}

impl FaceTemplate {
    /// Points of the face: outside of the mouth, and moved by some channel.
    pub(super) fn face(&self) -> impl Iterator<Item = usize> {
        (0..self.outer).filter(|point| self.reach[*point] > STILL)
    }

    /// Reads it from a binary glTF file. Its skin is the primitive with most vertices that `jawOpen` moves; it needs joints for both
    /// eyes.
    ///
    /// # Errors
    /// [`TransferError`]: no glTF, no shapes with the names of channels, no `jawOpen`, no eyes.
    pub fn from_glb(bytes: &[u8]) -> Result<Self, TransferError> {
        let file = open_gltf(bytes).map_err(TransferError::File)?;
        let head = Head::read(&file)?;
        let moved = |part: usize, channel: FaceChannel| {
            let part = &head.parts[part];
            let shape = part.names.iter().position(|name| match_shape(name).channel() == Some(channel))?;
            part.shapes.get(shape)?.as_ref()
        };
        let opens =
            |part: &usize| moved(*part, FaceChannel::JawOpen).is_some_and(|all| all.iter().any(|v| *v != Vec3::ZERO));
        let skin = (0..head.parts.len())
            .filter(opens)
            .max_by_key(|part| head.parts[*part].points.len())
            .ok_or(TransferError::NoTemplate("no shape `jawOpen` that moves anything".into()))?;
        let eyes = head.eyes.ok_or(TransferError::NoTemplate("no joints for both eyes".into()))?;
        let unit = eyes[0].distance(eyes[1]);
        if !(unit > 1e-6 && unit.is_finite()) {
            return Err(TransferError::NoTemplate("its eyes are in one place".into()));
        }
        let turned = head.axes.transpose();
        let place = |point: Vec3| turned * (point - (eyes[0] + eyes[1]) / 2.0) / unit;
        let channels: Vec<FaceChannel> = FaceChannel::ALL
            .into_iter()
            .filter(|channel| (0..head.parts.len()).any(|part| moved(part, *channel).is_some()))
            .collect();
        // The lining of the mouth is sewn to the lips: it is of the skin.
        let sewn = |part: &usize| {
            *part != skin
                && head.is_sewn(*part, skin)
                && channels.iter().any(|channel| moved(*part, *channel).is_some())
        };
        let skins: Vec<usize> = core::iter::once(skin).chain((0..head.parts.len()).filter(sewn)).collect();
        // Points of the skin alone, numbered anew.
        let mut number = vec![u32::MAX; head.points.len()];
        let mut points = Vec::new();
        for point in skins.iter().flat_map(|part| &head.parts[*part].points) {
            let number = &mut number[*point as usize];
            if *number == u32::MAX {
                *number = points.len() as u32;
                points.push(place(head.points[*point as usize]));
            }
        }
        let outer = head.parts[skin].points.iter().collect::<std::collections::HashSet<_>>().len();
        let of_part = |part: &usize| {
            let own = head.triangles.iter().zip(&head.owners).filter(|(_, owner)| **owner as usize == *part);
            own.map(|(corners, _)| corners.map(|corner| number[corner as usize])).collect::<Vec<[u32; 3]>>()
        };
        let outer_triangles = of_part(&skin).len();
        let triangles: Vec<[u32; 3]> = skins.iter().flat_map(of_part).collect();
        let displaced = |part: usize, channel: FaceChannel| -> Vec<Vec3> {
            let count = head.parts[part].points.len();
            moved(part, channel)
                .map_or_else(|| vec![Vec3::ZERO; count], |all| all.iter().map(|v| turned * *v / unit).collect())
        };
        let of_skin = |channel: FaceChannel| {
            let mut all = vec![Vec3::ZERO; points.len()];
            for part in skins.iter().rev() {
                let moved = head.parts[*part].points.iter().zip(displaced(*part, channel));
                moved.for_each(|(point, moved)| all[number[*point as usize] as usize] = moved);
            }
            all
        };
        let of_channels: Vec<(FaceChannel, Vec<Vec3>)> =
            channels.iter().map(|channel| (*channel, of_skin(*channel))).collect();
        let others = (0..head.parts.len())
            .filter(|part| !skins.contains(part))
            .map(|part| Other {
                points: head.parts[part].points.iter().map(|point| place(head.points[*point as usize])).collect(),
                moved: channels
                    .iter()
                    .map(|channel| moved(part, *channel).is_some().then(|| displaced(part, *channel)))
                    .collect(),
            })
            .collect();
        let mut reach = vec![0.0_f32; points.len()];
        for (_, moved) in &of_channels {
            reach.iter_mut().zip(moved).for_each(|(reach, moved)| *reach = reach.max(moved.length()));
        }
        let normals = normals_of(&points, &triangles);
        let lips = LipMesh::from_glb(bytes).map_err(|error| TransferError::NoTemplate(error.to_string()))?.inner_lips();
        let lips = lips.map(|vertex| number[head.parts[skin].points[vertex] as usize]);
        Ok(Self { points, triangles, normals, channels: of_channels, others, lips, reach, outer, outer_triangles })
    }
}
