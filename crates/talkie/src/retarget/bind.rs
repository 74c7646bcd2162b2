//! Finding out what of a character answers to a face.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{
    Binding, BindingReport, BoundShape, ChannelMix, FindingKind, Rig, RigProfile, ShapeDrive, ShapeRule, TargetDrive,
    Vrm, VrmExpression, VrmOverride,
    likeness::likeness,
    mixer::{Control, Fit, Override, Rules},
    profile::KnownShape,
    rig::unnamed_shape,
};
use crate::animation::{
    CHANNEL_COUNT, FaceChannel, FaceRegion,
    blendshapes::{factorise, solve_factorised},
};

/// What a shape that shows a channel among others counts, beside one that is the channel.
const SHOWN: f32 = 0.4;
/// Where so much of a region has shapes of its own, postures of the whole mouth are left out.
const ENOUGH: f32 = 0.6;
/// How much of `jawOpen` is in a `mouthClose` that opens the jaw by itself, at least.
const CLOSE_OPENS: f32 = 0.4;
/// Where expressions of a VRM file are said to be found.
const EXPRESSION: &str = "VRM expression";

/// Binds a character: finds the profile that knows most of its shapes for each region of the face, its joints by the names of all
/// profiles, and says what it did.
///
/// Of two profiles that know as much the first one counts.
pub fn bind(rig: &Rig<'_>, profiles: &[&RigProfile]) -> (Binding, BindingReport) {
    let mut report = BindingReport::default();
    for problem in &rig.problems {
        report.find(FindingKind::Broken, problem.clone(), "");
    }
    let mut binder = Binder {
        rig,
        profiles,
        rules: Rules::default(),
        report,
        offers: offers(rig),
        covered: BTreeSet::new(),
        direct: BTreeSet::new(),
        mouth_by: None,
        fitted: Vec::new(),
        postures: Vec::new(),
        rows: Vec::new(),
        controls: HashMap::new(),
        taken: HashSet::new(),
        drives: BTreeMap::new(),
    };
    binder.bind_shapes();
    binder.bind_joints();
    binder.finish()
}

/// Something of a name that can be driven.
struct Offer {
    name: String,
    /// Where it is, for people.
    place: String,
    /// Mesh, shape and factor.
    targets: Vec<(usize, usize, f32)>,
    binary: bool,
    /// Index of the expression that it is.
    expression: Option<usize>,
}

fn offers(rig: &Rig<'_>) -> Vec<Offer> {
    let is_of_use = |vrm: &Vrm, expression: &VrmExpression| {
        !(expression.targets.is_empty() || vrm.looks_by_bones && is_look(&expression.name))
    };
    let expressions = rig.vrm.iter().flat_map(|vrm| vrm.expressions.iter().enumerate().map(move |e| (vrm, e)));
    let expressions =
        expressions.filter(|(vrm, (_, expression))| is_of_use(vrm, expression)).map(|(_, (index, expression))| Offer {
            name: expression.name.clone(),
            place: EXPRESSION.to_owned(),
            targets: expression.targets.clone(),
            binary: expression.binary,
            expression: Some(index),
        });
    let shapes = rig.meshes.iter().enumerate().flat_map(|(mesh, offered)| {
        offered.shapes.iter().enumerate().map(move |(shape, name)| Offer {
            name: if name.is_empty() { unnamed_shape(&offered.name, shape) } else { name.clone() },
            place: offered.name.clone(),
            targets: vec![(mesh, shape, 1.0)],
            binary: false,
            expression: None,
        })
    });
    expressions.chain(shapes).collect()
}

pub(super) struct Binder<'a> {
    pub(super) rig: &'a Rig<'a>,
    pub(super) profiles: &'a [&'a RigProfile],
    pub(super) rules: Rules,
    pub(super) report: BindingReport,
    offers: Vec<Offer>,
    /// Channels that a shape answers to.
    pub(super) covered: BTreeSet<FaceChannel>,
    /// Those of them that need no fit.
    direct: BTreeSet<FaceChannel>,
    /// The profile of the mouth.
    pub(super) mouth_by: Option<usize>,
    /// Regions whose shapes are fitted, and what each of these shows.
    fitted: Vec<FaceRegion>,
    postures: Vec<(u16, [f32; CHANNEL_COUNT])>,
    /// What each of these follows, if anything.
    rows: Vec<ChannelMix>,
    /// The control of a rule: of a profile, with or without steps.
    controls: HashMap<(usize, KnownShape, bool), u16>,
    /// Morph targets that follow some control.
    taken: HashSet<(usize, usize)>,
    drives: BTreeMap<usize, Vec<TargetDrive>>,
}

/// An offer and what a profile says of it.
struct Known {
    offer: usize,
    key: KnownShape,
    rule: ShapeRule,
    /// How good its name is.
    rank: usize,
}

/// The region that a rule is about: that of the channel it takes most of.
pub(super) fn region(mix: &ChannelMix) -> FaceRegion {
    let most = mix.iter().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    most.map_or(FaceRegion::Mouth, |(channel, _)| channel.region())
}

impl Binder<'_> {
    fn known(&self, profile: &RigProfile) -> Vec<Known> {
        let known = |(offer, offered): (usize, &Offer)| {
            let (key, rank) = profile.shape(&offered.name)?;
            let rule = match key {
                KnownShape::Rule(rule) => profile.shapes[rule].clone(),
                KnownShape::Channel(channel) => ShapeRule::channel(channel),
            };
            Some(Known { offer, key, rule, rank })
        };
        let mut known: Vec<Known> = self.offers.iter().enumerate().filter_map(known).collect();
        // Of two names for one thing the better one goes first; the order of the file stays otherwise.
        known.sort_by_key(|known| (known.rank, known.offer));
        known
    }

    fn bind_shapes(&mut self) {
        let known: Vec<Vec<Known>> = self.profiles.iter().map(|profile| self.known(profile)).collect();
        for region in [FaceRegion::Mouth, FaceRegion::Eyes, FaceRegion::Brows] {
            let mut left: Vec<usize> = (0..known.len()).collect();
            // Whoever knows most of it; then whoever knows most of what is left.
            loop {
                let first = left.len() == known.len();
                let best = left.iter().enumerate().fold((0.0, None), |best, (place, profile)| {
                    let score = self.score(&known[*profile], region, first);
                    if score > best.0 { (score, Some(place)) } else { best }
                });
                let (_, Some(place)) = best else { break };
                let profile = left.remove(place);
                self.bind_region(region, profile, &known[profile], first);
            }
        }
        let is_known = |offer: usize| known.iter().flatten().any(|known| known.offer == offer);
        for (index, offer) in self.offers.iter().enumerate() {
            if offer.expression.is_none() && !is_known(index) {
                self.report.unknown.push((offer.place.clone(), offer.name.clone()));
            }
        }
        for (index, mesh) in self.rig.meshes.iter().enumerate() {
            let is_unnamed = |shape: &usize| mesh.shapes[*shape].is_empty() && !self.taken.contains(&(index, *shape));
            let unnamed = (0..mesh.shapes.len()).filter(is_unnamed).count();
            if unnamed > 0 {
                self.report.find(
                    FindingKind::Broken,
                    format!("{unnamed} of the {} shapes of `{}` have no names", mesh.shapes.len(), mesh.name),
                    "export them with names (`targetNames` in the extras of the mesh), or let `talkie bind --geometry` tell them by what they do",
                );
            }
        }
        show_rows(&mut self.postures, &self.rows);
        // One fit for all regions: a posture of the whole face counts once.
        let wanted = |channel: FaceChannel| self.fitted.contains(&channel.region()) && !self.direct.contains(&channel);
        self.rules.fit = Fit::new(&self.postures, wanted, likeness);
        self.settle_mouth_close();
        self.override_others();
    }

    /// Binds what a profile knows of a region, or, if it is not the `first`, of what is left of it.
    fn bind_region(&mut self, region: FaceRegion, profile: usize, known: &[Known], first: bool) {
        let known: Vec<&Known> = known
            .iter()
            .filter(|known| self::region(known.rule.mix()) == region && self.is_open(&known.rule, first))
            .collect();
        let own: BTreeSet<FaceChannel> = known.iter().flat_map(|known| known.rule.from.keys().copied()).collect();
        let all =
            FaceChannel::ALL.into_iter().filter(|channel| channel.region() == region && !channel.is_tongue_shape());
        let fits = self.profiles[profile].fit && region == FaceRegion::Mouth
            || known.iter().any(|known| !known.rule.shows.is_empty())
                && (own.iter().filter(|channel| !channel.is_tongue_shape()).count() as f32)
                    < ENOUGH * all.count() as f32;
        let bound_before = self.report.shapes.len();
        let mut covered = BTreeSet::new();
        for known in known {
            let Known { offer, key, rule, .. } = known;
            if !rule.shows.is_empty() && (!fits || self.silences(*offer, rule)) {
                continue;
            }
            let binary = self.offers[*offer].binary;
            let control = *self.controls.entry((profile, *key, binary)).or_insert_with(|| {
                self.rules.controls.push(Control::new(rule, binary, region));
                (self.rules.controls.len() - 1) as u16
            });
            if !self.take(*offer, control, rule) {
                continue;
            }
            if fits {
                self.rules.controls[usize::from(control)].terms.clear();
                if self.postures.iter().all(|(other, _)| *other != control) {
                    self.postures.push((control, posture(rule)));
                    self.rows.push(rule.from.clone());
                }
            }
            let offered = &self.offers[*offer];
            covered.extend(rule.mix().iter().filter(|(_, factor)| **factor != 0.0).map(|(channel, _)| *channel));
            self.report.shapes.push(BoundShape {
                mesh: offered.place.clone(),
                shape: offered.name.clone(),
                mix: rule.mix().clone(),
                fitted: fits,
            });
        }
        if self.report.shapes.len() > bound_before {
            self.report.profiles.push((region, self.profiles[profile].name.clone()));
            if region == FaceRegion::Mouth && self.mouth_by.is_none() {
                self.mouth_by = Some(profile);
            }
        }
        if fits {
            self.fitted.push(region);
        } else {
            self.direct.extend(&covered);
        }
        self.covered.extend(covered);
    }

    /// Whether nothing answers to the channels of a rule yet. The `first` profile of a region is not asked.
    fn is_open(&self, rule: &ShapeRule, first: bool) -> bool {
        first || rule.mix().keys().all(|channel| !self.covered.contains(channel))
    }

    /// How much of a region a profile knows, or, if it is not the `first`, of what is left of it.
    fn score(&self, known: &[Known], region: FaceRegion, first: bool) -> f32 {
        let mut channels: BTreeMap<FaceChannel, f32> = BTreeMap::new();
        for Known { rule, .. } in known {
            if self::region(rule.mix()) != region || !self.is_open(rule, first) {
                continue;
            }
            let worth = if rule.shows.is_empty() { 1.0 } else { SHOWN };
            for channel in rule.mix().keys().filter(|channel| channel.region() == region) {
                let best = channels.entry(*channel).or_default();
                *best = best.max(worth);
            }
        }
        channels.values().sum()
    }

    /// Whether an expression of the mouth takes the mouth away where it shows at all: then it cannot be mixed into speech.
    fn silences(&mut self, offer: usize, rule: &ShapeRule) -> bool {
        let offered = &self.offers[offer];
        let Some(expression) = offered.expression.and_then(|index| self.rig.vrm.as_ref()?.expressions.get(index))
        else {
            return false;
        };
        let of_mouth = rule.shows.keys().any(|channel| channel.region() == FaceRegion::Mouth);
        let all_or_nothing = expression.overrides[2] == VrmOverride::Block || expression.binary;
        let silences = of_mouth && all_or_nothing && !is_vowel(&expression.name);
        if silences {
            self.report.find(
                FindingKind::Doubtful,
                format!("the expression `{}` is not used: it is all or nothing, or takes the mouth away", offered.name),
                "set overrideMouth to blend and isBinary to false to have emotions shown in speech",
            );
        }
        silences
    }

    /// Lets the targets of an offer follow a control; no if others have them all.
    fn take(&mut self, offer: usize, control: u16, rule: &ShapeRule) -> bool {
        let offered = &self.offers[offer];
        let mut took = false;
        for (mesh, shape, factor) in &offered.targets {
            // An expression and the shape below it are one; two expressions may share a shape.
            if offered.expression.is_none() && self.taken.contains(&(*mesh, *shape)) {
                continue;
            }
            let drives = self.drives.entry(*mesh).or_default();
            if offered.expression.is_none() && drives.iter().any(|drive| drive.control == control) {
                let channels: Vec<&str> = rule.mix().keys().map(|channel| channel.name()).collect();
                self.report.find(
                    FindingKind::Duplicated,
                    format!(
                        "`{}` has two shapes for {}: `{}` is left alone",
                        offered.place,
                        channels.join(" "),
                        offered.name
                    ),
                    "remove or rename one of them",
                );
                continue;
            }
            self.taken.insert((*mesh, *shape));
            drives.push(TargetDrive { shape: *shape as u16, control, factor: *factor });
            took = true;
        }
        took
    }

    /// In ARKit `mouthClose` brings together what `jawOpen` opened. Where there is none, the jaw closes instead; where it opens the
    /// jaw by itself, `jawOpen` steps back as much.
    fn settle_mouth_close(&mut self) {
        let (open, close) = (FaceChannel::JawOpen, FaceChannel::MouthClose);
        if !self.covered.contains(&open) {
            return;
        }
        let share = if self.covered.contains(&close) {
            let share = self.opening_of_mouth_close();
            if share < CLOSE_OPENS {
                return;
            }
            self.report.find(
                FindingKind::Doubtful,
                format!(
                    "`mouthClose` opens the jaw by itself ({share:.2} of `jawOpen`): `jawOpen` is lessened by as much"
                ),
                "nothing is to be done if lips meet at P, B and M",
            );
            share
        } else {
            self.report.find(
                FindingKind::Missing,
                "there is no `mouthClose`: the jaw closes for P, B and M",
                "a shape `mouthClose` that brings the lips together while `jawOpen` is at 1",
            );
            1.0
        };
        for control in &mut self.rules.controls {
            let opens = control.terms.iter().find(|(channel, _)| usize::from(*channel) == open.index()).copied();
            if let Some((_, factor)) = opens {
                control.terms.push((close.index() as u8, -factor * share));
            }
        }
    }

    /// How much of `jawOpen` is in `mouthClose`, where both are shapes of one mesh whose geometry is at hand.
    fn opening_of_mouth_close(&self) -> f32 {
        let target = |mesh: usize, channel: FaceChannel| {
            let drives = self.drives.get(&mesh)?;
            let is = |drive: &&TargetDrive| {
                matches!(self.rules.controls[usize::from(drive.control)].terms[..], [(only, factor)]
                    if usize::from(only) == channel.index() && factor > 0.0)
            };
            drives.iter().find(is).map(|drive| usize::from(drive.shape))
        };
        let shares = self.rig.meshes.iter().enumerate().filter_map(|(index, mesh)| {
            let displacements = mesh.displacements.as_ref()?;
            let open = displacements(target(index, FaceChannel::JawOpen)?)?;
            let close = displacements(target(index, FaceChannel::MouthClose)?)?;
            let weight: f32 = open.iter().map(|v| v.length_squared()).sum();
            let along: f32 = open.iter().zip(&close).map(|(open, close)| open.dot(*close)).sum();
            (weight > 0.0).then_some((weight, along / weight))
        });
        shares.max_by(|a, b| a.0.total_cmp(&b.0)).map_or(0.0, |(_, share)| share.clamp(-1.0, 1.0))
    }

    /// What expressions of a VRM file do to others.
    fn override_others(&mut self) {
        let Some(vrm) = &self.rig.vrm else { return };
        let control = |name: &str| {
            let offer = self.offers.iter().find(|offer| offer.expression.is_some() && offer.name == name)?;
            let (mesh, shape, _) = offer.targets.first()?;
            let drives = self.drives.get(mesh)?;
            // Of several expressions with this target, the one that was bound under this name.
            let bound = self.report.shapes.iter().any(|bound| bound.mesh == EXPRESSION && bound.shape == name);
            bound.then(|| drives.iter().find(|drive| usize::from(drive.shape) == *shape).map(|drive| drive.control))?
        };
        let mut overrides = Vec::new();
        for expression in &vrm.expressions {
            let Some(by) = control(&expression.name) else { continue };
            for (how, is_over) in expression.overrides.into_iter().zip([is_blink, is_look, is_vowel]) {
                let others =
                    vrm.expressions.iter().filter(|other| is_over(&other.name) && other.name != expression.name);
                let over: Vec<u16> =
                    others.filter_map(|other| control(&other.name)).filter(|other| *other != by).collect();
                if how != VrmOverride::None && !over.is_empty() {
                    overrides.push(Override { by, how, over });
                }
            }
        }
        self.rules.overrides = overrides;
    }

    fn finish(mut self) -> (Binding, BindingReport) {
        let mut moved = self.covered;
        for drive in &self.rules.joints {
            moved.extend(drive.terms.iter().map(|term| term.channel));
            moved.extend(drive.joint.gaze().into_iter().flatten().filter(|_| drive.rigid > 0.0));
        }
        self.report.missing = FaceChannel::ALL
            .into_iter()
            .filter(|channel| !channel.is_tongue_shape() && !moved.contains(channel))
            .collect();
        for (region, remedy) in [
            (FaceRegion::Mouth, "shapes with the ARKit names, or a profile that names them"),
            (FaceRegion::Eyes, "shapes eyeBlink and eyeLook for both sides, or joints for eyes and lids"),
            (FaceRegion::Brows, "shapes browInnerUp, browOuterUp and browDown, or joints for the brows"),
        ] {
            let names: Vec<&str> = self
                .report
                .missing
                .iter()
                .filter(|channel| channel.region() == region)
                .map(|channel| channel.name())
                .collect();
            if !names.is_empty() {
                self.report.find(FindingKind::Missing, format!("nothing answers to {}", names.join(" ")), remedy);
            }
        }
        if self.report.shapes.is_empty() && self.rules.joints.is_empty() {
            self.report.find(
                FindingKind::Broken,
                "no morph targets with known names and no face joints",
                "name the shapes as ARKit does, or say in a profile which is which",
            );
        }
        for (mesh, mut targets) in self.drives {
            targets.sort_by_key(|target| (target.shape, target.control));
            self.rules.shapes.push(ShapeDrive { mesh, targets });
        }
        (Binding::new(self.rules), self.report)
    }
}

/// What shapes show that follow rows of a matrix `M`: the least postures that do together what the channels do, `Mᵀ(M Mᵀ)⁻¹`. Of a row that
/// shares no channel it is what [`posture`] says.
fn show_rows(postures: &mut [(u16, [f32; CHANNEL_COUNT])], rows: &[ChannelMix]) {
    let following: Vec<usize> = (0..rows.len()).filter(|row| !rows[*row].is_empty()).collect();
    let count = following.len();
    let product = |a: &ChannelMix, b: &ChannelMix| -> f64 {
        a.iter().map(|(channel, factor)| f64::from(*factor * b.get(channel).copied().unwrap_or(0.0))).sum()
    };
    let mut matrix = vec![0.0; count * count];
    for (a, row) in following.iter().enumerate() {
        for (b, other) in following.iter().enumerate() {
            matrix[a * count + b] = product(&rows[*row], &rows[*other]);
        }
        // Rows that say the same share it.
        matrix[a * (count + 1)] += 1e-3;
    }
    if !factorise(&mut matrix, count) {
        return;
    }
    let mut shown = vec![[0.0_f32; CHANNEL_COUNT]; count];
    for channel in FaceChannel::ALL {
        let mut column: Vec<f64> =
            following.iter().map(|row| f64::from(rows[*row].get(&channel).copied().unwrap_or(0.0))).collect();
        solve_factorised(&matrix, count, &mut column);
        shown.iter_mut().zip(column).for_each(|(shown, value)| shown[channel.index()] = value as f32);
    }
    following.iter().zip(shown).for_each(|(row, shown)| postures[*row].1 = shown);
}

/// What a face looks like with a shape alone at 1.
fn posture(rule: &ShapeRule) -> [f32; CHANNEL_COUNT] {
    let mut posture = [0.0; CHANNEL_COUNT];
    for (channel, weight) in &rule.shows {
        posture[channel.index()] = *weight;
    }
    if rule.shows.is_empty() {
        // The least posture that gives this row a weight of 1.
        let norm: f32 = rule.from.values().map(|factor| factor * factor).sum();
        for (channel, factor) in &rule.from {
            posture[channel.index()] = factor / norm;
        }
    }
    posture
}

fn is_vowel(name: &str) -> bool {
    matches!(name, "aa" | "ih" | "ou" | "ee" | "oh" | "a" | "i" | "u" | "e" | "o")
}

fn is_blink(name: &str) -> bool {
    matches!(name, "blink" | "blinkLeft" | "blinkRight" | "blink_l" | "blink_r")
}

fn is_look(name: &str) -> bool {
    matches!(name, "lookUp" | "lookDown" | "lookLeft" | "lookRight" | "lookup" | "lookdown" | "lookleft" | "lookright")
}
