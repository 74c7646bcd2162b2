//! `talkie bind`.

use std::path::PathBuf;

use talkie::{
    animation::FaceRegion,
    retarget::{RigProfile, bind, open_gltf, rig_of},
    transfer::Head,
};

use crate::{Failure, transfer::template};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A character: glTF, GLB or VRM.
    file: PathBuf,
    /// Profiles of your own (RON), tried before the built-in ones.
    #[arg(long)]
    profile: Vec<PathBuf>,
    /// Tell shapes with unknown names, or none, by what they do: they are compared with those of a default character, laid upon this
    /// one. Visemes and other postures are measured in the same way.
    #[arg(long)]
    geometry: bool,
    /// The character to compare with (GLB). Default: `assets/characters/ada.glb` of a checkout.
    #[arg(long, requires = "geometry")]
    from: Option<PathBuf>,
    /// Write what was found by geometry as a profile (`.rig.ron`), for games and for `--profile`.
    #[arg(short, long, requires = "geometry")]
    output: Option<PathBuf>,
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
    let rig = rig_of(&file);
    let (_, mut report) = bind(&rig, &profiles);
    if arguments.geometry {
        let template = template(arguments.from.as_deref())?;
        let head = Head::read(&file).map_err(|error| Failure::at(&arguments.file, error))?;
        let fit = template.fit(&head).map_err(|error| Failure::at(&arguments.file, error))?;
        let name = arguments.file.file_stem().unwrap_or_default().to_string_lossy();
        let found = fit.profile(&name, &report, &profiles);
        report = bind(&rig, &[&[&found.profile], profiles.as_slice()].concat()).1;
        for question in found.questions {
            report.find(question.kind, question.what, question.remedy);
        }
        if let Some(path) = &arguments.output {
            std::fs::write(path, found.profile.to_ron()?).map_err(|error| Failure::at(path, error))?;
        }
    }
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
