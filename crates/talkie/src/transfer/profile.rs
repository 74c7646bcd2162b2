//! A profile for one character, by what its shapes do.

use std::collections::BTreeSet;

use super::{ExplainedShape, FaceFit};
use crate::{
    animation::FaceChannel,
    retarget::{BindingReport, Finding, FindingKind, RigProfile, ShapeRule},
};

/// Below this a shape is asked about instead of bound.
const CERTAIN: f32 = 0.6;

/// What the shapes of a character are by their geometry.
#[derive(Debug, Clone, PartialEq)]
pub struct GeometryProfile {
    /// How the character is bound by name, with the shapes that no profile knows and with what its postures really show. Bind with it
    /// first.
    pub profile: RigProfile,
    /// Every shape that was looked at.
    pub explained: Vec<ExplainedShape>,
    /// What is not certain enough to be bound: to be asked.
    pub questions: Vec<Finding>,
}

impl FaceFit<'_> {
    /// Says what the shapes are that no profile knows, and what visemes and other postures of this character really show. `report` is what
    /// [`bind`](crate::retarget::bind) with these profiles said.
    pub fn profile(&self, name: &str, report: &BindingReport, profiles: &[&RigProfile]) -> GeometryProfile {
        let explained = self.explain();
        let mut profile = report.own_profile(name, profiles);
        profile.about = format!("{} Completed from the geometry of its shapes.", profile.about);
        let mut questions = Vec::new();
        // What each mesh has by name.
        let mut has: BTreeSet<(String, FaceChannel)> = report
            .shapes
            .iter()
            .filter(|bound| !bound.fitted)
            .flat_map(|bound| bound.mix.keys().map(|channel| (bound.mesh.clone(), *channel)))
            .collect();
        let mut measured = BTreeSet::new();
        for bound in report.shapes.iter().filter(|bound| bound.fitted) {
            let is_it = |shape: &&ExplainedShape| shape.mesh == bound.mesh && shape.shape == bound.shape;
            let Some(found) = explained.iter().find(is_it).filter(|found| found.confidence >= CERTAIN) else {
                continue;
            };
            if let Some(rule) = profile.shapes.iter_mut().find(|rule| rule.names.contains(&bound.shape))
                && measured.insert(bound.shape.clone())
            {
                rule.from.clear();
                rule.shows.clone_from(&found.mix);
            }
        }
        let mut unknown: Vec<&ExplainedShape> = explained
            .iter()
            .filter(|shape| report.unknown.contains(&(shape.mesh.clone(), shape.shape.clone())))
            .collect();
        // Of two that are the same the one that is it more certainly.
        unknown.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        for shape in unknown {
            let mix = shape.mix.iter().map(|(channel, weight)| format!("{weight:.2} {channel}")).collect::<Vec<_>>();
            let what = |reason: &str| {
                format!("`{}` of `{}` looks like {} ({reason}): not bound", shape.shape, shape.mesh, mix.join(" + "))
            };
            let mut ask = |what: String| {
                let remedy = "if it is, say so in a profile (`from` or `shows`)".to_owned();
                questions.push(Finding { kind: FindingKind::Doubtful, what, remedy });
            };
            if shape.mix.is_empty() {
                continue;
            }
            if shape.confidence < CERTAIN {
                ask(what(&format!("{:.0} % of what it does", shape.confidence * 100.0)));
                continue;
            }
            if let Some(channel) = shape.channel {
                if !has.insert((shape.mesh.clone(), channel)) {
                    ask(what("as another shape does"));
                    continue;
                }
                let is_same = |rule: &&mut ShapeRule| {
                    rule.from.len() == 1 && rule.from.contains_key(&channel) && rule.shows.is_empty()
                };
                if let Some(rule) = profile.shapes.iter_mut().find(is_same) {
                    rule.names.push(shape.shape.clone());
                    continue;
                }
            }
            profile.shapes.push(shape.rule());
        }
        GeometryProfile { profile, explained, questions }
    }
}
