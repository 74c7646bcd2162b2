//! A session on its device.

use core::mem::ManuallyDrop;

use ort::session::{HasSelectedOutputs, RunOptions, Session, SessionInputValue, SessionOutputs};

use super::{Device, webgpu};

/// A session, which runs and is closed as its device demands.
#[derive(Debug)]
pub(super) struct DeviceSession {
    session: ManuallyDrop<Session>,
    device: Device,
}

impl DeviceSession {
    /// Opens a session for a device.
    pub(super) fn open<E>(device: Device, session: impl FnOnce() -> Result<Session, E>) -> Result<Self, E> {
        let _turn = (device == Device::WebGpu).then(webgpu::turn);
        Ok(Self { session: ManuallyDrop::new(session()?), device })
    }

    pub(super) fn get(&self) -> &Session {
        &self.session
    }

    pub(super) fn device(&self) -> Device {
        self.device
    }

    /// Takes it for one on this device.
    #[cfg(test)]
    pub(super) fn pretend(&mut self, device: Device) {
        self.device = device;
    }

    /// Runs it, into the outputs that the options bring if there are some.
    pub(super) fn run<'s>(
        &'s mut self,
        inputs: Vec<(&str, SessionInputValue<'_>)>,
        options: Option<&'s RunOptions<HasSelectedOutputs>>,
    ) -> ort::Result<SessionOutputs<'s>> {
        let _turn = (self.device == Device::WebGpu).then(webgpu::turn);
        match options {
            Some(options) => self.session.run_with_options(inputs, options),
            None => self.session.run(inputs),
        }
    }
}

impl Drop for DeviceSession {
    fn drop(&mut self) {
        // SAFETY: it is taken here only, and nobody comes after.
        let session = unsafe { ManuallyDrop::take(&mut self.session) };
        match self.device {
            Device::WebGpu => webgpu::close(session),
            _ => drop(session),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use std::{
        sync::{Arc, mpsc},
        thread,
        time::Duration,
    };

    use talkie_onnx::{Dimension, Graph};

    use super::*;
    use crate::inference::{NetworkSource, Runtime, provider::Opening};

    /// One that is taken for a session on WebGPU.
    fn session() -> DeviceSession {
        let mut graph = Graph::default();
        graph.input("x", &[Dimension::Value(1)]).unwrap();
        graph.node("Neg", &["x"], "y", &[]).unwrap();
        graph.output("y", &[Dimension::Value(1)]).unwrap();
        let onnx = graph.finish("negative", &[]);
        let opening = Opening::new(Runtime::global().unwrap(), 1);
        let mut session = opening.open_on_cpu(NetworkSource::Bytes(&onnx)).unwrap();
        session.pretend(Device::WebGpu);
        session
    }

    #[test]
    fn who_drops_a_session_waits_for_nobody() {
        let [early, late] = [session(), session()];
        let [early_inner, late_inner] = [&early, &late].map(|session| Arc::downgrade(&session.get().inner()));
        let turn = webgpu::turn();
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || {
            drop(early);
            done.send(()).unwrap();
        });
        is_done.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(early_inner.strong_count(), 1, "closed while another uses the GPU");
        drop(turn);
        assert_eq!(early_inner.strong_count(), 0);
        drop(late);
        // Another test may have its turn, and closes it.
        drop(webgpu::turn());
        assert_eq!(late_inner.strong_count(), 0);
    }
}
