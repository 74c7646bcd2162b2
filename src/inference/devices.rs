//! Where networks compute, for the game to see.

use std::sync::{Arc, Mutex, PoisonError};

use bevy_asset::Assets;
use bevy_ecs::{
    resource::Resource,
    system::{Res, ResMut},
};
use talkie::inference::{Attempt, Device};

use super::{EmotionModel, FaceModel};

/// The networks that are loaded as assets, and where each of them computes: what the log says once, kept up to date where a device is
/// lost. What was passed over in search of the engine itself is in
/// [`Runtime::passed_over`](talkie::inference::Runtime::passed_over).
#[derive(Resource, Debug, Clone, Default)]
pub struct InferenceDevices(Vec<Arc<NetworkDevice>>);

impl InferenceDevices {
    /// All networks: first those that animate, then those that hear emotions.
    pub fn networks(&self) -> impl Iterator<Item = &NetworkDevice> {
        self.0.iter().map(|network| &**network)
    }
}

/// Where a network computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkDevice {
    /// Name of the model; `Audio2Emotion` for those that hear emotions.
    pub model: String,
    /// Never [`Device::Auto`].
    pub device: Device,
    /// Devices that were tried and not taken, or lost, with the reason.
    pub passed_over: Vec<Attempt>,
}

/// Where a network computes now, shared by all handles of it.
#[derive(Debug, Clone)]
pub(super) struct Place(Arc<Mutex<Arc<NetworkDevice>>>);

impl Place {
    pub(super) fn new(model: &str, device: Device, passed_over: &[Attempt]) -> Self {
        let place = NetworkDevice { model: model.to_owned(), device, passed_over: passed_over.to_vec() };
        Self(Arc::new(Mutex::new(Arc::new(place))))
    }

    pub(super) fn get(&self) -> Arc<NetworkDevice> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes where it computes after a batch.
    pub(super) fn note(&self, device: Device, passed_over: &[Attempt]) {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if place.device != device || place.passed_over.len() != passed_over.len() {
            let model = place.model.clone();
            *place = Arc::new(NetworkDevice { model, device, passed_over: passed_over.to_vec() });
        }
    }
}

/// Keeps the list up to date.
pub(super) fn list(
    faces: Res<Assets<FaceModel>>,
    emotions: Res<Assets<EmotionModel>>,
    mut devices: ResMut<InferenceDevices>,
) {
    let now = || faces.iter().map(|(_, model)| model.device()).chain(emotions.iter().map(|(_, model)| model.device()));
    let is_same = |known: &Arc<NetworkDevice>, now: Arc<NetworkDevice>| Arc::ptr_eq(known, &now);
    if now().count() != devices.0.len() || !devices.0.iter().zip(now()).all(|(known, now)| is_same(known, now)) {
        devices.0 = now().collect();
    }
}

#[cfg(test)]
mod tests {
    use bevy_app::{App, Update};
    use bevy_asset::{AssetApp, AssetPlugin};
    use bevy_ecs::change_detection::DetectChanges;
    use talkie::{
        inference::Runtime,
        model::{FaceModel as Model, ModelOptions},
    };

    use super::*;

    #[test]
    fn the_resource_says_where_networks_compute_and_what_was_passed_over_also_when_it_is_lost() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/models/voice");
        let load = |device| {
            let options = ModelOptions { device: Some(device), ..ModelOptions::default() };
            FaceModel::new(Model::load_dir_with(folder, &options, Runtime::global()).unwrap())
        };
        let mut app = App::new();
        app.add_plugins((bevy_app::TaskPoolPlugin::default(), AssetPlugin::default()))
            .init_asset::<FaceModel>()
            .init_asset::<EmotionModel>()
            .init_resource::<InferenceDevices>()
            .add_systems(Update, list);
        app.update();
        assert_eq!(app.world().resource::<InferenceDevices>().networks().count(), 0);
        // There is no such device in any test: it is passed over with the reason.
        let model = load(Device::DirectMl);
        let _handle = app.world_mut().resource_mut::<Assets<FaceModel>>().add(model.clone());
        app.update();
        let listed = |app: &App| app.world().resource::<InferenceDevices>().networks().next().cloned().unwrap();
        let first = listed(&app);
        assert_eq!((first.model.as_str(), first.device), (model.name(), Device::Cpu));
        assert_eq!(first.passed_over.len(), 1);
        assert_eq!(first.passed_over[0].device, Some(Device::DirectMl));
        // As a batch does when the device went away.
        let lost = Attempt { device: Some(Device::WebGpu), path: None, reason: "it failed while it was used".into() };
        model.place().note(Device::Cpu, &[first.passed_over[0].clone(), lost.clone()]);
        app.update();
        assert_eq!(listed(&app).passed_over[1], lost);
        // Nothing new is no change.
        model.place().note(Device::Cpu, &listed(&app).passed_over);
        let before = app.world().resource_ref::<InferenceDevices>().last_changed();
        app.update();
        assert_eq!(app.world().resource_ref::<InferenceDevices>().last_changed(), before);
    }
}
