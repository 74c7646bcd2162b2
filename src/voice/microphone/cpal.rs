//! The system's microphones.

use cpal::{
    BuildStreamError, DefaultStreamConfigError, Device, FromSample, Host, SampleFormat, SizedSample, StreamConfig,
    StreamError,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};

use super::capture::{Capture, CaptureDevice, CaptureError, CaptureFormat, CaptureSource, CaptureWriter, capture_ring};

/// The microphones of the system's default sound system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemMicrophones;

impl CaptureSource for SystemMicrophones {
    fn devices(&self) -> Result<Vec<CaptureDevice>, CaptureError> {
        let host = cpal::default_host();
        // Names are for people, and the default device may go by another one.
        let default = host.default_input_device().and_then(|device| device.id().ok());
        let mut devices: Vec<CaptureDevice> = Vec::new();
        for device in host.input_devices().map_err(|error| failed("", &error.to_string()))? {
            let Some(name) = name_of(&device) else { continue };
            if devices.iter().all(|known| known.name != name) {
                let is_default = default.is_some() && default == device.id().ok();
                devices.push(CaptureDevice { name, is_default });
            }
        }
        Ok(devices)
    }

    fn default_device(&self) -> Option<String> {
        cpal::default_host().default_input_device().and_then(|device| name_of(&device))
    }

    fn open(&self, device: Option<&str>) -> Result<Capture, CaptureError> {
        let host = cpal::default_host();
        let found = find(&host, device)?;
        let name = name_of(&found).unwrap_or_else(|| "unnamed".into());
        let config = found.default_input_config().map_err(|error| match error {
            DefaultStreamConfigError::DeviceNotAvailable => CaptureError::Unplugged { device: name.clone() },
            error => failed(&name, &error.to_string()),
        })?;
        let format = CaptureFormat {
            sample_rate: config.sample_rate(),
            channels: usize::from(config.channels()),
            samples: name_of_format(config.sample_format()),
        };
        let (writer, reader) = capture_ring(format.sample_rate, format.channels)
            .map_err(|reason| CaptureError::Format { device: name.clone(), reason })?;
        let stream = build(&found, &name, config.sample_format(), &config.config(), writer)?;
        stream.play().map_err(|error| failed(&name, &error.to_string()))?;
        Ok(Capture { device: name, format, reader, stream: Box::new(stream) })
    }
}

fn name_of(device: &Device) -> Option<String> {
    device.description().ok().map(|description| description.name().to_owned())
}

fn find(host: &Host, wanted: Option<&str>) -> Result<Device, CaptureError> {
    let Some(wanted) = wanted else { return host.default_input_device().ok_or(CaptureError::NoDevice) };
    let mut known = Vec::new();
    for device in host.input_devices().map_err(|error| failed(wanted, &error.to_string()))? {
        match name_of(&device) {
            Some(name) if name == wanted => return Ok(device),
            Some(name) => known.push(format!("{name:?}")),
            None => {}
        }
    }
    let known = if known.is_empty() { "none".into() } else { known.join(", ") };
    Err(CaptureError::NotFound { name: wanted.into(), known })
}

/// Opens a stream whatever its sample format is.
fn build(
    device: &Device,
    name: &str,
    format: SampleFormat,
    config: &StreamConfig,
    writer: CaptureWriter,
) -> Result<cpal::Stream, CaptureError> {
    match format {
        SampleFormat::I8 => of::<i8>(device, name, config, writer),
        SampleFormat::I16 => of::<i16>(device, name, config, writer),
        SampleFormat::I24 => of::<cpal::I24>(device, name, config, writer),
        SampleFormat::I32 => of::<i32>(device, name, config, writer),
        SampleFormat::I64 => of::<i64>(device, name, config, writer),
        SampleFormat::U8 => of::<u8>(device, name, config, writer),
        SampleFormat::U16 => of::<u16>(device, name, config, writer),
        SampleFormat::U24 => of::<cpal::U24>(device, name, config, writer),
        SampleFormat::U32 => of::<u32>(device, name, config, writer),
        SampleFormat::U64 => of::<u64>(device, name, config, writer),
        SampleFormat::F32 => of::<f32>(device, name, config, writer),
        SampleFormat::F64 => of::<f64>(device, name, config, writer),
        other => Err(CaptureError::Other {
            device: name.into(),
            reason: format!("it gives samples of the format {other}, which is not known"),
        }),
    }
}

fn of<T: SizedSample>(
    device: &Device,
    name: &str,
    config: &StreamConfig,
    mut writer: CaptureWriter,
) -> Result<cpal::Stream, CaptureError>
where
    f32: FromSample<T>,
{
    let fault = writer.fault();
    let called = name.to_owned();
    device
        .build_input_stream(
            config,
            move |data: &[T], _| writer.write(data.iter().map(|sample| f32::from_sample_(*sample))),
            move |error| match error {
                // A gap in the sound: it goes on.
                StreamError::BufferUnderrun => {}
                StreamError::DeviceNotAvailable => fault.report(CaptureError::Unplugged { device: called.clone() }),
                StreamError::StreamInvalidated => fault.report(CaptureError::FormatChanged { device: called.clone() }),
                StreamError::BackendSpecific { err } => fault.report(failed(&called, &err.description)),
            },
            None,
        )
        .map_err(|error| match error {
            BuildStreamError::DeviceNotAvailable => CaptureError::Unplugged { device: name.into() },
            error => failed(name, &error.to_string()),
        })
}

fn name_of_format(format: SampleFormat) -> &'static str {
    match format {
        SampleFormat::I8 => "i8",
        SampleFormat::I16 => "i16",
        SampleFormat::I24 => "i24",
        SampleFormat::I32 => "i32",
        SampleFormat::I64 => "i64",
        SampleFormat::U8 => "u8",
        SampleFormat::U16 => "u16",
        SampleFormat::U24 => "u24",
        SampleFormat::U32 => "u32",
        SampleFormat::U64 => "u64",
        SampleFormat::F32 => "f32",
        SampleFormat::F64 => "f64",
        _ => "unknown",
    }
}

/// What sound systems say in words and numbers of their own, as far as it is known.
fn failed(device: &str, reason: &str) -> CaptureError {
    let (device, text) = (device.to_owned(), reason.to_lowercase());
    let says = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
    let reason = reason.to_owned();
    // ALSA and PulseAudio speak errno; 0x8889000a is AUDCLNT_E_DEVICE_IN_USE, 0x80070005 E_ACCESSDENIED of WASAPI.
    if says(&["busy", "ebusy", "(16)", "in use", "0x8889000a"]) {
        CaptureError::Busy { device, reason }
    } else if says(&["permission", "denied", "not permitted", "eacces", "eperm", "0x80070005", "unauthorized"]) {
        CaptureError::PermissionDenied { device, reason }
    } else if says(&["no such device", "enodev", "(19)", "0x88890004", "disconnected"]) {
        CaptureError::Unplugged { device }
    } else {
        CaptureError::Other { device, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sound_systems_say_is_understood() {
        for (reason, expected) in [
            ("ALSA function 'snd_pcm_open' failed with error 'EBUSY: Device or resource busy'", "another program"),
            ("The device is in use (0x8889000A)", "another program"),
            ("snd_pcm_open: EACCES: Permission denied", "privacy"),
            ("Access is denied. (os error 0x80070005)", "privacy"),
            ("ENODEV: No such device", "gone"),
            ("something new", "failed: something new"),
        ] {
            let error = failed("Desk", reason).to_string();
            assert!(error.contains(expected) && error.contains("Desk"), "{error}");
        }
    }

    #[test]
    fn a_machine_without_a_microphone_says_so() {
        // Where there is one, it opens or tells why not; nothing panics.
        match SystemMicrophones.open(Some("a microphone that nobody has")) {
            Err(CaptureError::NotFound { name, .. }) => assert!(name.contains("nobody")),
            Err(error) => assert!(!error.to_string().is_empty()),
            Ok(capture) => panic!("{} was opened", capture.device),
        }
    }
}
