//! Crowds of speakers in real time: what they cost the main loop and the whole process, without rendering.
//!
//! Prints tables; `cargo xtask bench` writes them into `docs/performance.md`. `--seconds 4` makes each row that long, `--only live`
//! keeps rows whose name contains that (those of the comparison are named `in turn`), `--table FILE` writes the tables there too.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use bevy::{
    app::{PanicHandlerPlugin, TaskPoolPlugin},
    asset::{AssetPlugin, uuid_handle},
    mesh::{Mesh, MeshPlugin, PrimitiveTopology, morph::MorphWeights},
    prelude::*,
    time::TimePlugin,
};
use bevy_talkie::{inference::InferenceStats, prelude::*, talkie};
use talkie::{audio::AudioClip, inference::Runtime};

/// The mesh of every face: nothing but names of shapes.
const MESH: Handle<Mesh> = uuid_handle!("8c3f5be0-6a3c-4f8e-93b7-0d4d0c5a6c11");
/// Time between two frames.
const FRAME: Duration = Duration::from_nanos(16_666_667);

/// What a crowd does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speech {
    /// Nothing.
    Silent,
    /// Lines that are all there, one after the other.
    Clips,
    /// Speeches whose sound arrives while they are spoken.
    Streams,
    /// Microphones and voice chat.
    Live,
    /// Lines whose motion was baked.
    Baked,
}

impl Speech {
    const ALL: [Self; 5] = [Self::Silent, Self::Clips, Self::Streams, Self::Live, Self::Baked];

    fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Clips => "clips",
            Self::Streams => "streams",
            Self::Live => "live",
            Self::Baked => "baked",
        }
    }
}

/// When the sets of the plugin began in a frame, and when the last ended.
#[derive(Resource, Default)]
struct Marks([Option<Instant>; 5]);

impl Marks {
    /// Milliseconds in each set.
    fn milliseconds(&self) -> [f64; 4] {
        let since = |index: usize| Some((self.0[index + 1]? - self.0[index]?).as_secs_f64() * 1e3);
        [0, 1, 2, 3].map(|index| since(index).unwrap_or(0.0))
    }
}

/// What was measured over the frames of one crowd.
#[derive(Debug)]
struct Outcome {
    /// Milliseconds of a whole frame of the main loop: of each, in the order of time.
    updates: Vec<f64>,
    /// Milliseconds of it in the systems of the plugin: voice, inference, face, rig.
    sets: [Percentiles; 4],
    /// The same, together.
    systems: Percentiles,
    /// Milliseconds from one frame to the next.
    interval: Percentiles,
    /// Seconds of processor time for every second, of all threads.
    load: f64,
    /// Of these, what networks and features take.
    inference: f64,
    /// Faces that did not have the poses of the moment that was heard, as a share of all faces and frames.
    starved: f64,
}

/// Of many frames.
#[derive(Debug)]
struct Percentiles {
    median: f64,
    p99: f64,
}

impl Percentiles {
    fn of(milliseconds: &[f64]) -> Self {
        let mut milliseconds = milliseconds.to_vec();
        milliseconds.sort_by(f64::total_cmp);
        let at = |share: f64| milliseconds.get((milliseconds.len() as f64 * share) as usize).copied().unwrap_or(0.0);
        Self { median: at(0.5), p99: at(0.99) }
    }
}

fn main() {
    let mut seconds = 10.0;
    let (mut only, mut table) = (String::new(), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => seconds = arguments.next().and_then(|value| value.parse().ok()).unwrap_or(seconds),
            "--only" => only = arguments.next().unwrap_or_default(),
            "--table" => table = arguments.next(),
            // Cargo adds `--bench`.
            _ => {}
        }
    }
    let voice = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/voices/03_ada.ogg"));
    let voice = AudioClip::decode(voice.expect("a voice line of the repository")).expect("its sound");
    let mut text = String::new();
    let mut say = |line: String| {
        println!("{line}");
        text += &line;
        text.push('\n');
    };
    say(match Runtime::global() {
        Ok(runtime) => format!("### {} {}\n", runtime.backend(), runtime.version()),
        Err(error) => format!("{error}\n"),
    });
    say("| speakers | | ECS, ms a frame | voice + inference + face + rig | p99 | whole frame, ms | p99 | frame to frame, p99 ms | all threads, cores | networks, cores | one speaker's network, ms a second | without poses |".into());
    say("|---|---|---|---|---|---|---|---|---|---|---|---|".into());
    let full =
        Speech::ALL.into_iter().flat_map(|speech| [1, 10, 100, 1000].map(|count| (count, speech, FaceDetail::Full)));
    let less = FaceDetail::ALL[1..].iter().flat_map(|detail| [100, 1000].map(|count| (count, Speech::Clips, *detail)));
    for (count, speech, detail) in full.chain(less) {
        let mut name = format!("{count} {}", speech.name());
        if detail != FaceDetail::Full {
            name += &format!(", {detail:?}");
        }
        if !name.contains(&only) {
            continue;
        }
        let outcome = Crowd::new(count, speech, detail, &voice).run(seconds);
        let update = Percentiles::of(&outcome.updates);
        say(format!(
            "| {} | {:.2} | {:.2} + {:.2} + {:.2} + {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} % |",
            name.replacen(' ', " | ", 1),
            outcome.systems.median,
            outcome.sets[0].median,
            outcome.sets[1].median,
            outcome.sets[2].median,
            outcome.sets[3].median,
            outcome.systems.p99,
            update.median,
            update.p99,
            outcome.interval.p99,
            outcome.load,
            outcome.inference,
            outcome.inference / count as f64 * 1e3,
            outcome.starved * 100.0
        ));
    }
    say(String::new());
    if "in turn".contains(&only) {
        in_turn(seconds, &voice, &mut say);
    }
    if let Some(path) = table {
        std::fs::write(&path, &text).expect("a file that can be written");
    }
}

/// What talking does to the frames of a game: a hundred speakers that are silent, and a hundred that speak, again and again one after
/// the other, so that what else the machine does meets all of them.
fn in_turn(seconds: f64, voice: &AudioClip, say: &mut dyn FnMut(String)) {
    const ROUNDS: usize = 10;
    let mut frames: [Vec<f64>; Speech::ALL.len()] = Default::default();
    let mut beyond: [Vec<f64>; Speech::ALL.len()] = Default::default();
    for _ in 0..ROUNDS {
        let p99 = [0, 1, 2, 3, 4].map(|index| {
            let crowd = Crowd::new(100, Speech::ALL[index], FaceDetail::Full, voice);
            let updates = crowd.run(seconds / 2.0).updates;
            let p99 = Percentiles::of(&updates).p99;
            frames[index].extend(updates);
            p99
        });
        beyond.iter_mut().zip(p99).for_each(|(beyond, of)| beyond.push(of - p99[0]));
    }
    say(format!(
        "| 100 speakers, {ROUNDS} times in turn | whole frame, ms | p99 of all | more than silent | p99 more than silent, median of the times |"
    ));
    say("|---|---|---|---|---|".into());
    let silent = Percentiles::of(&frames[0]).p99;
    for ((speech, frames), beyond) in Speech::ALL.into_iter().zip(&frames).zip(&beyond) {
        let Percentiles { median, p99 } = Percentiles::of(frames);
        let beyond = Percentiles::of(beyond).median;
        say(format!("| {} | {median:.2} | {p99:.2} | {:+.2} | {beyond:+.2} |", speech.name(), p99 - silent));
    }
    say(String::new());
}

struct Crowd<'a> {
    app: App,
    faces: Vec<Entity>,
    speech: Speech,
    streams: Vec<VoiceStream>,
    voice: &'a AudioClip,
    clip: Handle<VoiceClip>,
    /// Frames of sound that were pushed into every stream.
    pushed: usize,
    /// How many have begun to speak.
    begun: usize,
}

impl<'a> Crowd<'a> {
    fn new(count: usize, speech: Speech, detail: FaceDetail, voice: &'a AudioClip) -> Self {
        let mut app = App::new();
        app.add_plugins((
            PanicHandlerPlugin,
            TaskPoolPlugin::default(),
            TimePlugin,
            TransformPlugin,
            AssetPlugin::default(),
            MeshPlugin,
        ))
        .init_asset::<WorldAsset>()
        .add_plugins(TalkiePlugins);
        app.init_resource::<Marks>();
        let mark = |index: usize| move |mut marks: ResMut<Marks>| marks.0[index] = Some(Instant::now());
        let sets = [TalkieSystems::Voice, TalkieSystems::Inference, TalkieSystems::Face, TalkieSystems::Rig];
        for (index, set) in sets.iter().enumerate() {
            let system = mark(index).before(set.clone());
            app.add_systems(PostUpdate, if index == 0 { system } else { system.after(sets[index - 1].clone()) });
        }
        app.add_systems(PostUpdate, mark(sets.len()).after(TalkieSystems::Rig).before(TransformSystems::Propagate));
        app.finish();
        app.cleanup();
        let mut mesh = Mesh::new(PrimitiveTopology::TriangleList, default());
        mesh.set_morph_target_names(FaceChannel::ALL.iter().map(|channel| channel.name().to_owned()).collect());
        let mut meshes = app.world_mut().resource_mut::<Assets<Mesh>>();
        meshes.insert(&MESH, mesh).expect("a fixed handle");
        let mut clip = VoiceClip::new(voice.clone());
        if speech == Speech::Baked {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/voice");
            let mut model = talkie::model::FaceModel::load_dir(folder, Runtime::global()).expect("the default model");
            clip = clip.with_track(model.animate(voice).expect("a track"));
        }
        let clip = app.world_mut().resource_mut::<Assets<VoiceClip>>().add(clip);
        let faces: Vec<Entity> = (0..count)
            .map(|_| {
                let weights = MorphWeights::new(vec![0.0; FaceChannel::ALL.len()], Some(MESH)).expect("few shapes");
                let face = app.world_mut().spawn((TalkingFace::default(), detail)).id();
                app.world_mut().spawn((weights, Transform::default(), Name::new("face"), ChildOf(face)));
                app.world_mut().spawn((Transform::default(), Name::new("head"), ChildOf(face)));
                face
            })
            .collect();
        let mut crowd = Self { app, faces, speech, streams: Vec::new(), voice, clip, pushed: 0, begun: 0 };
        crowd.wait("faces", |crowd| crowd.faces.iter().all(|face| crowd.app.world().get::<FaceRig>(*face).is_some()));
        crowd
    }

    fn wait(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let started = Instant::now();
        while !holds(self) {
            assert!(started.elapsed() < Duration::from_secs(120), "waited in vain for {what}");
            self.app.update();
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Lets everybody speak; people do not begin all at once.
    fn begin(&mut self, index: usize) {
        let face = self.faces[index];
        let mut commands = self.app.world_mut().commands();
        match self.speech {
            Speech::Silent => {}
            Speech::Clips | Speech::Baked => {
                commands.entity(face).say(self.clip.clone());
            }
            Speech::Streams | Speech::Live => {
                let (rate, channels) = (self.voice.sample_rate(), self.voice.channels());
                let live = self.speech == Speech::Live;
                let stream = if live { VoiceStream::live(rate, channels) } else { VoiceStream::speech(rate, channels) };
                commands.entity(face).start(&stream);
                self.streams.push(stream);
            }
        }
    }

    fn says_lines(&self) -> bool {
        matches!(self.speech, Speech::Clips | Speech::Baked)
    }

    /// What arrives for every stream in one frame.
    fn push(&mut self) {
        let frames = self.voice.sample_rate() as usize / 60;
        let samples = self.voice.samples();
        for (index, stream) in self.streams.iter().enumerate() {
            // Everybody says something else.
            let start = (self.pushed + index * 4_801) % (samples.len() - frames);
            stream.push(&samples[start..start + frames]);
        }
        self.pushed += frames;
    }

    /// One frame of the game; tells how long the main thread worked.
    fn frame(&mut self) -> Duration {
        let idle = |voice: &Voice| voice.is_idle();
        if self.says_lines() {
            for index in 0..self.begun {
                if self.app.world().get::<Voice>(self.faces[index]).is_some_and(idle) {
                    self.begin(index);
                }
            }
        }
        self.push();
        let started = Instant::now();
        self.app.update();
        started.elapsed()
    }

    fn run(mut self, seconds: f64) -> Outcome {
        // Within two seconds everybody has begun, and one more lets it settle.
        let (warm_up, count) = (180, self.faces.len());
        let frames = (seconds * 60.0) as usize;
        let (mut updates, mut intervals) = (Vec::with_capacity(frames), Vec::with_capacity(frames));
        let mut sets: [Vec<f64>; 4] = Default::default();
        let (mut starved, mut due) = (0, Instant::now());
        let (mut last, mut before) = (due, (cpu_seconds(), self.stats(), due));
        for frame in 0..warm_up + frames {
            while self.begun < count && self.begun <= frame * count / 120 {
                if !self.says_lines() {
                    self.begin(self.begun);
                }
                self.begun += 1;
            }
            let took = self.frame();
            if frame == warm_up {
                before = (cpu_seconds(), self.stats(), Instant::now());
            }
            if frame >= warm_up {
                updates.push(took.as_secs_f64() * 1e3);
                let marks = self.app.world().resource::<Marks>().milliseconds();
                sets.iter_mut().zip(marks).for_each(|(set, mark)| set.push(mark));
                let now = Instant::now();
                intervals.push((now - last).as_secs_f64() * 1e3);
                last = now;
                starved += self.starved();
            }
            due += FRAME;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if frame < warm_up {
                last = Instant::now();
            }
        }
        let wall = before.2.elapsed().as_secs_f64();
        Outcome {
            updates,
            systems: Percentiles::of(
                &(0..frames).map(|frame| sets.iter().map(|set| set[frame]).sum()).collect::<Vec<_>>(),
            ),
            sets: sets.map(|set| Percentiles::of(&set)),
            interval: Percentiles::of(&intervals),
            load: (cpu_seconds() - before.0) / wall,
            inference: (self.stats().seconds_busy - before.1.seconds_busy) / wall,
            starved: starved as f64 / (frames * count) as f64,
        }
    }

    fn stats(&self) -> InferenceStats {
        *self.app.world().resource::<InferenceStats>()
    }

    /// Faces that speak and have no pose for it.
    fn starved(&self) -> usize {
        let is_starved = |face: &&Entity| {
            self.app.world().get::<Voice>(**face).is_some_and(|voice| {
                voice.is_speaking() && voice.track().is_some_and(|track| track.end_seconds() < voice.heard_seconds())
            })
        };
        self.faces.iter().filter(is_starved).count()
    }
}

/// Processor time of this process, all threads, in seconds.
fn cpu_seconds() -> f64 {
    cpu_time::ProcessTime::now().as_duration().as_secs_f64()
}
