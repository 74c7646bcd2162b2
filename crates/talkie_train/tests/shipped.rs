//! The model in the repository is what this framework writes.

use std::path::Path;

use talkie::model::Manifest;
use talkie_train::config::Recipe;
use talkie_train::export::channel_names;

#[test]
fn the_shipped_bundle_hears_what_the_recipe_says() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/models/voice/model.json"));
    let recipe = Recipe::shipped().expect("the shipped recipe is valid");
    let manifest = Manifest::parse(&std::fs::read(path).expect("a shipped model"), path).expect("a valid manifest");
    assert_eq!(manifest.features.log_mel, recipe.features);
    assert_eq!(manifest.look_ahead_frames, recipe.network.look_ahead);
    assert_eq!(manifest.channels, channel_names());
    let first = &manifest.tensors.state[0];
    assert_eq!((first.channels, first.frames), (recipe.features.bands, recipe.network.first_kernel - 1));
    assert_eq!(manifest.tensors.state.len(), 1 + recipe.network.dilations.len());
}
