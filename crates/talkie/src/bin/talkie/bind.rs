//! `talkie bind`.

use std::path::PathBuf;

use talkie::{
    animation::FaceRegion,
    retarget::{RigProfile, bind, open_gltf, rig_of},
};

use crate::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A character: glTF, GLB or VRM.
    file: PathBuf,
    /// Profiles of your own (RON), tried before the built-in ones.
    #[arg(long)]
    profile: Vec<PathBuf>,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let bytes = std::fs::read(&arguments.file).map_err(|error| Failure::at(&arguments.file, error))?;
    let file = open_gltf(&bytes).map_err(|reason| Failure::at(&arguments.file, reason))?;
    let mut own = Vec::new();
    for path in &arguments.profile {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::at(path, error))?;
        own.push(RigProfile::parse(&text).map_err(|error| Failure::at(path, error))?);
    }
    let profiles: Vec<&RigProfile> = own.iter().chain(RigProfile::builtin()).collect();
    let (_, report) = bind(&rig_of(&file), &profiles);
    if arguments.json {
        say!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    say!("character   {}", arguments.file.display());
    say!("coverage    {:.0} % of the 52 ARKit channels move something", report.coverage() * 100.0);
    for region in [FaceRegion::Mouth, FaceRegion::Eyes, FaceRegion::Brows] {
        let by = report.profiles.iter().find(|(other, _)| *other == region);
        say!("{:<12}{}", region.to_string(), by.map_or("no profile knows its shapes", |(_, name)| name));
    }
    for bound in &report.shapes {
        let mix: Vec<String> = bound.mix.iter().map(|(channel, factor)| format!("{factor} {channel}")).collect();
        let how = if bound.fitted { "fitted, shows" } else { "follows" };
        say!("shape       {} / {}: {how} {}", bound.mesh, bound.shape, mix.join(" + "));
    }
    for joint in &report.joints {
        let idle = joint.idle.map(|reason| format!(" (not driven: {reason})")).unwrap_or_default();
        say!("joint       {}: {}{idle}", joint.joint, joint.node);
    }
    for (mesh, shape) in &report.unknown {
        say!("unknown     {mesh} / {shape}");
    }
    for finding in &report.findings {
        say!("{:<12}{}", finding.kind.to_string(), finding.what);
        if !finding.remedy.is_empty() {
            say!("            remedy: {}", finding.remedy);
        }
    }
    if report.can_speak() { Ok(()) } else { Err(Failure("nothing opens the mouth of this character".into())) }
}
