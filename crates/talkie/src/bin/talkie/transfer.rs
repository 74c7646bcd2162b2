//! `talkie transfer`, and the template that `talkie bind --geometry` uses too.

use std::path::{Path, PathBuf};

use talkie::{
    retarget::{Glb, RigProfile, bind, open_gltf, rig_of},
    transfer::{FaceTemplate, Head},
};

use crate::{Failure, of_checkout};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A head: GLB or VRM.
    file: PathBuf,
    /// Where the head with its shapes goes.
    #[arg(short, long)]
    output: PathBuf,
    /// The character whose shapes are carried over (GLB). Default: `assets/characters/ada.glb` of a checkout.
    #[arg(long)]
    from: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let at = |reason: String| Failure::at(&arguments.file, reason);
    let template = template(arguments.from.as_deref())?;
    let bytes = std::fs::read(&arguments.file).map_err(|error| at(error.to_string()))?;
    let mut glb = Glb::parse(&bytes).map_err(at)?;
    let file = open_gltf(&bytes).map_err(at)?;
    let head = Head::read(&file).map_err(|error| at(error.to_string()))?;
    let fit = template.fit(&head).map_err(|error| at(error.to_string()))?;
    let added = fit.add_shapes(&mut glb);
    let written = glb.to_bytes();
    // What was written is read as a game would.
    let file = open_gltf(&written).map_err(at)?;
    let (_, report) = bind(&rig_of(&file), &RigProfile::builtin().iter().collect::<Vec<_>>());
    std::fs::write(&arguments.output, &written).map_err(|error| Failure::at(&arguments.output, error))?;
    say!("head        {}", arguments.file.display());
    say!("fit         {:.0} % of the template's face lies on it", fit.confidence() * 100.0);
    say!("shapes      {added} added, in {}", arguments.output.display());
    say!("coverage    {:.0} % of the 52 ARKit channels move something", report.coverage() * 100.0);
    Ok(())
}

/// The face whose shapes are known.
pub(crate) fn template(named: Option<&Path>) -> Result<FaceTemplate, Failure> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => of_checkout("assets/characters", "ada.glb")
            .map(|folder| folder.join("ada.glb"))
            .ok_or_else(|| Failure("no template found: name a character with ARKit shapes with --from".into()))?,
    };
    let bytes = std::fs::read(&path).map_err(|error| Failure::at(&path, error))?;
    FaceTemplate::from_glb(&bytes).map_err(|error| Failure::at(&path, error))
}
