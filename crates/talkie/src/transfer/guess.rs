//! Where a face may be, before anything is known of it.

use glam::{Mat3, Vec3};

use super::{FaceTemplate, Head, registration::Similarity};

/// How round a mesh must be to be an eye: the spread of its points' distances from its middle, of their mean.
const ROUND: f32 = 0.2;
/// How tall a head is among what there is, where no eyes are found: all of it, or the top of a bust, of a body.
const SHARES: [f32; 6] = [1.0, 0.75, 0.5, 0.3, 0.18, 0.13];

/// Similarities to start from, the likeliest first: by the joints of the eyes, else by round meshes that may be eyes, else by the
/// extent of everything.
pub(super) fn guesses(template: &FaceTemplate, head: &Head) -> Vec<Similarity> {
    if let Some([left, right]) = head.eyes {
        let turn = head.axes.transpose();
        return by_eyes(left, right, turn).into_iter().collect();
    }
    let mut found = Vec::new();
    for (left, right) in round_pairs(head) {
        for axes in
            [(Vec3::Y, Vec3::Z), (Vec3::Z, Vec3::NEG_Y), (Vec3::Y, Vec3::NEG_Z)].map(|(up, ahead)| facing(up, ahead))
        {
            // Left is where the axes say.
            let (left, right) = if (axes * (left - right)).x >= 0.0 { (left, right) } else { (right, left) };
            found.extend(by_eyes(left, right, axes));
        }
    }
    if found.is_empty() {
        found = by_extent(template, head);
    }
    found
}

/// From the axes of a file to left, up and forward.
fn facing(up: Vec3, ahead: Vec3) -> Mat3 {
    Mat3::from_cols(up.cross(ahead), up, ahead).transpose()
}

fn by_eyes(left: Vec3, right: Vec3, turn: Mat3) -> Option<Similarity> {
    let apart = left.distance(right);
    (apart > 1e-9 && apart.is_finite()).then(|| {
        let scale = 1.0 / apart;
        Similarity { turn, scale, shift: turn * ((left + right) / -2.0) * scale }
    })
}

/// Middles of pairs of pieces that are round, equally large and beside each other.
fn round_pairs(head: &Head) -> Vec<(Vec3, Vec3)> {
    // Pieces that triangles connect.
    let mut root: Vec<u32> = (0..head.points.len() as u32).collect();
    fn find(root: &mut [u32], mut of: u32) -> u32 {
        while root[of as usize] != of {
            root[of as usize] = root[root[of as usize] as usize];
            of = root[of as usize];
        }
        of
    }
    for [a, b, c] in &head.triangles {
        for other in [b, c] {
            let (from, to) = (find(&mut root, *other), find(&mut root, *a));
            root[from as usize] = to;
        }
    }
    let mut pieces: std::collections::BTreeMap<u32, Vec<Vec3>> = std::collections::BTreeMap::new();
    for point in 0..head.points.len() as u32 {
        let piece = find(&mut root, point);
        pieces.entry(piece).or_default().push(head.points[point as usize]);
    }
    let balls: Vec<(Vec3, f32)> = pieces
        .values()
        .filter(|points| points.len() >= 20)
        .filter_map(|points| {
            let least = points.iter().copied().reduce(Vec3::min)?;
            let most = points.iter().copied().reduce(Vec3::max)?;
            let (middle, count) = ((least + most) / 2.0, points.len() as f32);
            let mean = points.iter().map(|point| point.distance(middle)).sum::<f32>() / count;
            let spread = points.iter().map(|point| (point.distance(middle) - mean).powi(2)).sum::<f32>() / count;
            (mean > 0.0 && spread.sqrt() < ROUND * mean).then_some((middle, mean))
        })
        .collect();
    let mut pairs = Vec::new();
    for (place, (a, size)) in balls.iter().enumerate() {
        for (b, other) in &balls[place + 1..] {
            let apart = a.distance(*b);
            let alike = (size - other).abs() < 0.1 * size && (1.6 * size..8.0 * size).contains(&apart);
            if alike && (a - b).normalize_or_zero().x.abs() > 0.9 {
                pairs.push((*a, *b));
            }
        }
    }
    // The larger ones: buttons are small.
    pairs.sort_by(|a, b| b.0.distance(b.1).total_cmp(&a.0.distance(a.1)));
    pairs.truncate(4);
    pairs
}

/// As if the top of everything were a head of various sizes, which looks ahead.
fn by_extent(template: &FaceTemplate, head: &Head) -> Vec<Similarity> {
    let extent = |points: &mut dyn Iterator<Item = Vec3>| {
        points.fold((Vec3::MAX, Vec3::MIN), |(least, most), point| (least.min(point), most.max(point)))
    };
    let (own_least, own_most) = extent(&mut template.points.iter().copied());
    let own_height = own_most.y - own_least.y;
    let mut found = Vec::new();
    for (up, ahead) in [(Vec3::Y, Vec3::Z), (Vec3::Y, Vec3::NEG_Z), (Vec3::Z, Vec3::NEG_Y)] {
        let turn = facing(up, ahead);
        let (least, most) = extent(&mut head.points.iter().map(|point| turn * *point));
        for share in SHARES {
            let height = share * (most.y - least.y);
            if height <= 0.0 || !height.is_finite() {
                continue;
            }
            let scale = own_height / height;
            // The front of what is as high as a head.
            let top = head
                .points
                .iter()
                .map(|p| turn * *p)
                .filter(|p| p.y > most.y - 0.9 * height && p.y < most.y - 0.4 * height);
            let front =
                top.fold(Vec3::new((least.x + most.x) / 2.0, 0.0, f32::MIN), |a, b| if b.z > a.z { b } else { a });
            let from = Vec3::new(front.x, most.y, front.z);
            let to = Vec3::new(0.0, own_most.y, own_most.z);
            found.push(Similarity { turn, scale, shift: to - from * scale });
        }
    }
    found
}
