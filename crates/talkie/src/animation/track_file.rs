//! A track as a compact file.
//!
//! All numbers are little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `FACETRAK` |
//! | 2 | version of the format: 1 |
//! | 1 | 1 if hashes of the source follow, otherwise 0 |
//! | 0 or 32 | hash of the sound, hash of the model |
//! | 4 + 4 | frame rate: numerator, denominator |
//! | 8 | index of the first frame |
//! | 4 | number of frames |
//! | 11 | one bit for every column of [`FaceTrack::columns`], lowest first: whether it is stored; the others rest |
//! | 4 | length of what follows but the checksum |
//! | ... | the stored columns, one after the other, compressed by raw deflate |
//! | 4 | CRC-32 of all before it |
//!
//! A column is a whole number of steps for every frame: its difference from the frame before (of the first frame: from
//! rest), zigzag coded (0, -1, 1, -2, ..), seven bits to a byte, lowest first, the eighth bit saying that more follow.
//! `jawOpen` is always stored, so that the length of the data bounds the number of frames.

use std::io::{Read as _, Write as _};

use flate2::{Compression, Crc, bufread::DeflateDecoder, write::DeflateEncoder};
use glam::Quat;

use super::{CHANNEL_COUNT, ContentHash, FaceChannel, FacePose, FaceTrack, FrameRate, JOINT_COLUMNS};

/// How the names of files with tracks end: `line.facetrack`.
pub const TRACK_EXTENSION: &str = "facetrack";

const MAGIC: [u8; 8] = *b"FACETRAK";
const VERSION: u16 = 1;
const COLUMN_COUNT: usize = CHANNEL_COUNT + JOINT_COLUMNS.len();
const MASK_BYTES: usize = COLUMN_COUNT.div_ceil(8);
/// The column that is always stored.
const ALWAYS: usize = FaceChannel::JawOpen.index();
/// More frames than this (almost five hours at 60 per second) are no line.
pub(super) const MOST_FRAMES: usize = 1 << 20;
/// Values of more steps than this, either way, are no pose.
const MOST_STEPS: i32 = 1_000_000;
/// Bytes of the longest difference.
const LONGEST: u64 = 4;
/// Frame numbers beyond this have no exact time.
const LAST_FRAME: u64 = 1 << 53;

/// Why a track cannot be written to a file, or a file is no track.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrackFileError {
    /// It begins with something else.
    #[error("not a face track: it does not begin with `FACETRAK`")]
    NoTrack,
    /// Written by a newer version of this crate.
    #[error("face track of version {found}; this build reads version {VERSION}")]
    Version {
        /// What the file says.
        found: u16,
    },
    /// Shorter than it says.
    #[error("the face track is cut off: {found} bytes of {expected}")]
    CutOff {
        /// Bytes that are there.
        found: usize,
        /// Bytes that are needed, at least.
        expected: usize,
    },
    /// Its checksum differs, or its parts contradict each other.
    #[error("the face track is damaged: {0}")]
    Damaged(&'static str),
    /// The rate is zero or absurd.
    #[error("frame rate {numerator}/{denominator} is not usable; expected more than 0 and at most 1000 per second")]
    FrameRate {
        /// As given.
        numerator: u32,
        /// As given.
        denominator: u32,
    },
    /// It is too long, or begins too late.
    #[error("{frames} frames from frame {first} on; expected at most {MOST_FRAMES}, before frame 2^53")]
    TooLong {
        /// Index of the first frame.
        first: u64,
        /// How many there are.
        frames: usize,
    },
    /// Not a number, or too large to be stored.
    #[error("frame {frame}: {column} is {value}; expected a number within {limit} of 0")]
    Value {
        /// Which frame, from 0 at the first that is kept.
        frame: usize,
        /// In which column.
        column: &'static str,
        /// What is there.
        value: f32,
        /// The largest value that can be stored.
        limit: f32,
    },
}

/// What a track was made from, so that a tool can tell whether a file is up to date without making it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TrackSource {
    /// The sound: the bytes of its file.
    pub sound: ContentHash,
    /// The model, and the settings by which it was asked.
    pub model: ContentHash,
}

impl TrackSource {
    /// What the track in a file was made from, if that says so. Checks the file as a whole, but unpacks nothing.
    ///
    /// # Errors
    /// The file is no track, cut off, damaged or too new.
    pub fn of_file(bytes: &[u8]) -> Result<Option<Self>, TrackFileError> {
        Ok(File::parse(bytes)?.source)
    }
}

impl FaceTrack {
    /// Writes the frames that are kept as a compact file (`.facetrack`): about 1 kB for a second of speech at 60 frames
    /// per second.
    ///
    /// Weights are off by at most 1/1020 afterwards, components of rotations by 1/32768, eyes by 0.00005 radians, the
    /// jaw by 5 µm. What stays at rest costs nothing. The same track gives the same bytes.
    ///
    /// # Errors
    /// A value that is not finite or absurdly large, a frame rate that is not valid, or too many frames.
    pub fn to_bytes(&self, source: Option<TrackSource>) -> Result<Vec<u8>, TrackFileError> {
        let (rate, first) = (self.frame_rate(), self.start_frame());
        check(rate, first, self.len())?;
        let mut columns: Vec<Vec<i32>> = vec![Vec::new(); COLUMN_COUNT];
        for (frame, (_, pose)) in self.iter().enumerate() {
            for ((index, column), value) in columns.iter_mut().enumerate().zip(Self::row(pose)) {
                column.push(steps(index, value).ok_or_else(|| {
                    let limit = (f64::from(MOST_STEPS) / scale(index)) as f32;
                    TrackFileError::Value { frame, column: name(index), value, limit }
                })?);
            }
        }
        let mut mask = [0_u8; MASK_BYTES];
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::best());
        let mut differences = Vec::with_capacity(self.len());
        for (index, column) in columns.iter().enumerate() {
            let mut before = rest(index);
            if index != ALWAYS && column.iter().all(|value| *value == before) {
                continue;
            }
            mask[index / 8] |= 1 << (index % 8);
            differences.clear();
            for value in column {
                push_difference(&mut differences, value - before);
                before = *value;
            }
            packed.write_all(&differences).map_err(|_| TrackFileError::Damaged("it cannot be packed"))?;
        }
        let packed = packed.finish().map_err(|_| TrackFileError::Damaged("it cannot be packed"))?;
        let mut bytes = Vec::with_capacity(packed.len() + 80);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.push(u8::from(source.is_some()));
        if let Some(TrackSource { sound, model }) = source {
            bytes.extend([sound.0, model.0].as_flattened());
        }
        bytes.extend(rate.numerator.to_le_bytes());
        bytes.extend(rate.denominator.to_le_bytes());
        bytes.extend(first.to_le_bytes());
        bytes.extend((self.len() as u32).to_le_bytes());
        bytes.extend(mask);
        bytes.extend((packed.len() as u32).to_le_bytes());
        bytes.extend(packed);
        bytes.extend(checksum(&bytes).to_le_bytes());
        Ok(bytes)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote, by this version of the crate or an earlier one. Every value is
    /// finite.
    ///
    /// # Errors
    /// The file is no track, cut off, damaged, too new or too long.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TrackFileError> {
        let file = File::parse(bytes)?;
        let stored: Vec<usize> = (0..COLUMN_COUNT).filter(|at| file.mask[at / 8] & 1 << (at % 8) != 0).collect();
        let values = file.frames * stored.len();
        if !stored.contains(&ALWAYS) || u32::from(file.mask[MASK_BYTES - 1]) >> (COLUMN_COUNT % 8) != 0 {
            return Err(TrackFileError::Damaged("its columns are not those of a face"));
        }
        let mut data = Vec::new();
        let unpacked = DeflateDecoder::new(file.packed).take(values as u64 * LONGEST + 1).read_to_end(&mut data);
        // A value needs a byte, so what is not there is not made room for.
        if unpacked.is_err() || data.len() < values {
            return Err(TrackFileError::Damaged("its values cannot be unpacked"));
        }
        let mut left = data.as_slice();
        let mut columns = Vec::with_capacity(stored.len());
        for column in stored {
            let (of_column, others) =
                split(left, file.frames).ok_or(TrackFileError::Damaged("it has fewer values than frames"))?;
            columns.push((column, of_column.iter().copied(), rest(column)));
            left = others;
        }
        if !left.is_empty() {
            return Err(TrackFileError::Damaged("it has more values than frames"));
        }
        let mut track = Self::starting_at(file.rate, file.first);
        let mut row: [i32; COLUMN_COUNT] = core::array::from_fn(rest);
        for _ in 0..file.frames {
            for (column, data, value) in &mut columns {
                *value = next_difference(data)
                    .and_then(|difference| value.checked_add(difference))
                    .filter(|value| value.abs() <= MOST_STEPS)
                    .ok_or(TrackFileError::Damaged("a value is out of range"))?;
                row[*column] = *value;
            }
            track.push(pose(&row));
        }
        Ok(track)
    }
}

/// The parts of a file, whose checksum is right.
struct File<'a> {
    source: Option<TrackSource>,
    rate: FrameRate,
    first: u64,
    frames: usize,
    mask: [u8; MASK_BYTES],
    packed: &'a [u8],
}

impl<'a> File<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, TrackFileError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(TrackFileError::NoTrack);
        }
        let mut at = MAGIC.len();
        let version = u16::from_le_bytes(take(bytes, &mut at)?);
        if version != VERSION {
            return Err(TrackFileError::Version { found: version });
        }
        let [has_source] = take(bytes, &mut at)?;
        let source = match has_source {
            0 => None,
            _ => Some(TrackSource {
                sound: ContentHash(take(bytes, &mut at)?),
                model: ContentHash(take(bytes, &mut at)?),
            }),
        };
        let numerator = u32::from_le_bytes(take(bytes, &mut at)?);
        let denominator = u32::from_le_bytes(take(bytes, &mut at)?);
        let first = u64::from_le_bytes(take(bytes, &mut at)?);
        let frames = u32::from_le_bytes(take(bytes, &mut at)?) as usize;
        let mask = take(bytes, &mut at)?;
        let length = u32::from_le_bytes(take(bytes, &mut at)?) as usize;
        let end = at.saturating_add(length);
        let whole = end.saturating_add(4);
        if bytes.len() < whole {
            return Err(TrackFileError::CutOff { found: bytes.len(), expected: whole });
        }
        let packed = &bytes[at..end];
        at = end;
        let sum = u32::from_le_bytes(take(bytes, &mut at)?);
        if bytes.len() > whole || sum != checksum(&bytes[..end]) || has_source > 1 {
            return Err(TrackFileError::Damaged("its checksum differs"));
        }
        let rate = FrameRate { numerator, denominator };
        check(rate, first, frames)?;
        Ok(Self { source, rate, first, frames, mask, packed })
    }
}

fn take<const N: usize>(bytes: &[u8], at: &mut usize) -> Result<[u8; N], TrackFileError> {
    let taken = bytes.get(*at..).and_then(|rest| rest.first_chunk()).copied();
    *at += N;
    taken.ok_or(TrackFileError::CutOff { found: bytes.len(), expected: *at })
}

fn check(rate: FrameRate, first: u64, frames: usize) -> Result<(), TrackFileError> {
    if !rate.is_valid() {
        return Err(TrackFileError::FrameRate { numerator: rate.numerator, denominator: rate.denominator });
    }
    if frames > MOST_FRAMES || first > LAST_FRAME {
        return Err(TrackFileError::TooLong { first, frames });
    }
    Ok(())
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = Crc::new();
    sum.update(bytes);
    sum.sum()
}

fn name(column: usize) -> &'static str {
    FaceTrack::columns().nth(column).unwrap_or_default()
}

/// Steps in one unit of a column.
fn scale(column: usize) -> f64 {
    match column.checked_sub(CHANNEL_COUNT) {
        // Weights; 1 is a whole number of steps.
        None => 510.0,
        // Metres.
        Some(4..=6) => 100_000.0,
        // Radians.
        Some(7..=10) => 10_000.0,
        // Components of quaternions.
        Some(_) => 32_768.0,
    }
}

/// The value of a column at rest, in steps: `w` of a quaternion is 1.
fn rest(column: usize) -> i32 {
    match column.checked_sub(CHANNEL_COUNT) {
        Some(3 | 14) => 32_768,
        _ => 0,
    }
}

fn steps(column: usize, value: f32) -> Option<i32> {
    let steps = (f64::from(value) * scale(column)).round();
    (steps.abs() <= f64::from(MOST_STEPS)).then_some(steps as i32)
}

fn pose(row: &[i32; COLUMN_COUNT]) -> FacePose {
    let value = |column: usize| (f64::from(row[column]) / scale(column)) as f32;
    let mut pose = FacePose::REST;
    pose.weights = core::array::from_fn(value);
    pose.set_joint_values(&core::array::from_fn(|joint| value(CHANNEL_COUNT + joint)));
    for rotation in [&mut pose.jaw_rotation, &mut pose.head_rotation] {
        // What was of length 1 before it was rounded is again.
        if (rotation.length() - 1.0).abs() < 1e-3 {
            *rotation = Quat::normalize(*rotation);
        }
    }
    pose
}

fn push_difference(bytes: &mut Vec<u8>, difference: i32) {
    let mut left = ((difference << 1) ^ (difference >> 31)) as u32;
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
}

/// Cuts the differences of a column off, given how many there are.
fn split(data: &[u8], count: usize) -> Option<(&[u8], &[u8])> {
    let Some(last) = count.checked_sub(1) else { return Some((&[], data)) };
    let end = data.iter().enumerate().filter(|(_, byte)| **byte & 0x80 == 0).nth(last)?.0;
    Some(data.split_at(end + 1))
}

fn next_difference(bytes: &mut impl Iterator<Item = u8>) -> Option<i32> {
    let mut coded = 0_u32;
    for place in 0..LONGEST as u32 {
        let byte = bytes.next()?;
        coded |= u32::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((coded >> 1) as i32 ^ -((coded & 1) as i32));
        }
    }
    None
}

#[cfg(test)]
mod tests;
