//! The models in the repository are what this framework writes.

use std::path::Path;

use talkie::model::Manifest;
use talkie_train::config::Recipe;
use talkie_train::export::channel_names;

#[test]
fn the_shipped_bundles_hear_what_the_recipe_says() {
    let recipe = Recipe::shipped().expect("the shipped recipe is valid");
    let shipped: Vec<_> =
        recipe.variants.iter().filter_map(|variant| Some((variant, variant.bundle.as_ref()?))).collect();
    let names: Vec<_> = shipped.iter().map(|(variant, _)| variant.name.as_str()).collect();
    assert_eq!(names, ["clip", "live"]);
    for (variant, bundle) in shipped {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(bundle);
        let path = folder.join("model.json");
        let manifest =
            Manifest::parse(&std::fs::read(&path).expect("a shipped model"), &path).expect("a valid manifest");
        assert_eq!(manifest.features.log_mel, recipe.features);
        assert_eq!(manifest.look_ahead_frames, variant.look_ahead);
        assert_eq!(manifest.channels, channel_names());
        let first = &manifest.tensors.state[0];
        assert_eq!((first.channels, first.frames), (recipe.features.width(), recipe.network.first_kernel - 1));
        assert_eq!(manifest.tensors.state.len(), 1 + recipe.network.dilations.len());
        let bytes = std::fs::metadata(folder.join("network.onnx")).expect("a shipped network").len();
        assert!(bytes <= 3_500_000, "{} has {bytes} bytes", variant.name);
        let future = manifest.look_ahead_seconds();
        let most = if variant.name == "live" { 0.02 } else { 0.1 };
        assert!(future <= most, "{} needs {future} s of what comes next", variant.name);
    }
}
