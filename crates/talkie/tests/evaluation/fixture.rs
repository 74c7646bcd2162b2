//! Three clips, their tracks and a head, made of whole numbers so that any program makes the same.

use std::{fmt::Write as _, fs, path::Path};

use serde_json::json;

/// Numerical Recipes' congruential generator.
struct Random(u32);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 16) % limit
    }

    fn choice<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u32) as usize]
    }
}

const VOWELS: [&str; 15] = ["AA", "AE", "AW", "AY", "AO", "AH", "EH", "OY", "EY", "OW", "ER", "IH", "UH", "IY", "UW"];
const CONSONANTS: [&str; 24] = [
    "P", "B", "M", "F", "V", "S", "Z", "SH", "ZH", "CH", "JH", "TH", "DH", "T", "D", "N", "L", "R", "W", "Y", "K", "G",
    "NG", "HH",
];
const KEYS: [&str; 8] = ["P", "B", "M", "F", "V", "S", "W", "T"];

/// Symbol, start and end in milliseconds.
fn phones(random: &mut Random) -> Vec<(&'static str, u32, u32)> {
    let mut phones = vec![("SIL", 0, 400)];
    let mut push =
        |symbol, length| phones.push((symbol, phones[phones.len() - 1].2, phones[phones.len() - 1].2 + length));
    for word in 0..10 {
        for from in [&CONSONANTS[..], &VOWELS, &KEYS, &VOWELS] {
            push(random.choice(from), 60 + random.below(90));
        }
        if word % 4 == 3 {
            push("SIL", 50 + random.below(350));
        }
    }
    push("SIL", 300);
    phones
}

/// Columns of a track in three notations.
const COLUMNS: &str = "Time,jawOpen,mouth_close,mouthFunnel,MouthPucker,mouthRollLower,mouthPress_L,mouthPress_R,\
    mouthUpperUpLeft,mouthStretchLeft,mouthSmileRight,headYaw";

/// What a mouth does at a phone, in thousandths: well at most phones, wrongly at some.
fn weights(symbol: &str, random: &mut Random) -> [u32; 10] {
    let open = match symbol {
        "SIL" => 10,
        "P" | "B" | "M" => 150 * u32::from(random.below(4) == 0),
        "F" | "V" => 90,
        "AA" | "AE" | "AW" | "AY" | "AO" => 640,
        "AH" | "EH" | "OY" | "EY" | "OW" => 430,
        "ER" | "IH" | "UH" | "IY" | "UW" => 210,
        _ => 140,
    };
    let jaw = if random.below(8) == 0 { random.below(60) } else { open + random.below(250) };
    let round = if matches!(symbol, "UW" | "W" | "OW" | "UH" | "AO" | "SH" | "CH") { 350 } else { 0 };
    let spread = if matches!(symbol, "IY" | "EY" | "EH" | "IH" | "AE" | "S" | "Z") { 200 } else { 0 };
    let closes = matches!(symbol, "P" | "B" | "M") && random.below(3) > 0;
    [
        jaw,
        if closes { jaw } else { random.below(30) },
        round / 2 + random.below(150),
        round + random.below(400),
        if matches!(symbol, "F" | "V") { random.below(300) } else { random.below(60) },
        if closes { 200 } else { 0 },
        if closes { 250 } else { 0 },
        random.below(100),
        spread + random.below(400),
        spread / 2 + random.below(300),
    ]
}

/// A key at the start and in the middle of every phone, 60 ms late.
fn track(phones: &[(&str, u32, u32)], random: &mut Random) -> String {
    let mut csv = COLUMNS.to_owned();
    for (symbol, start, end) in phones {
        for time in [*start, u32::midpoint(*start, *end)] {
            write!(csv, "\n{}.{:03}", (time + 60) / 1000, (time + 60) % 1000).unwrap();
            weights(symbol, random).iter().for_each(|w| write!(csv, ",{}.{:03}", w / 1000, w % 1000).unwrap());
            csv.push_str(",7");
        }
    }
    csv.push('\n');
    csv
}

/// The binary part of a GLB file in the making.
#[derive(Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    views: Vec<serde_json::Value>,
}

impl Buffer {
    fn view(&mut self, bytes: impl IntoIterator<Item = u8>, stride: Option<usize>) -> usize {
        let offset = self.bytes.len();
        self.bytes.extend(bytes);
        let mut view = json!({"buffer": 0, "byteOffset": offset, "byteLength": self.bytes.len() - offset});
        if let Some(stride) = stride {
            view["byteStride"] = stride.into();
        }
        self.views.push(view);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.views.len() - 1
    }

    fn floats(&mut self, vectors: &[[f32; 3]]) -> usize {
        self.view(vectors.iter().flatten().flat_map(|value| value.to_le_bytes()), None)
    }

    pub fn glb(self, mut document: serde_json::Value) -> Vec<u8> {
        document["asset"] = json!({"version": "2.0"});
        document["buffers"] = json!([{"byteLength": self.bytes.len()}]);
        document["bufferViews"] = self.views.into();
        let mut json = serde_json::to_vec(&document).unwrap();
        json.resize(json.len().next_multiple_of(4), b' ');
        let mut glb = b"glTF".to_vec();
        let chunks = [(json, *b"JSON"), (self.bytes, *b"BIN\0")];
        let total = 12 + chunks.iter().map(|(bytes, _)| 8 + bytes.len()).sum::<usize>();
        glb.extend([2, total as u32].map(u32::to_le_bytes).concat());
        for (bytes, kind) in chunks {
            glb.extend((bytes.len() as u32).to_le_bytes());
            glb.extend(kind);
            glb.extend(bytes);
        }
        glb
    }
}

/// A skin of 15 vertices beside a smaller primitive with lips of its own and a bigger one without. Positions are
/// interleaved with padding, `jawOpen` is sparse without a base, `mouthFunnel` sparse with one.
pub fn head() -> Vec<u8> {
    let mut buffer = Buffer::default();
    let mut accessors = Vec::new();
    let vec3 =
        |view: usize, count: usize| json!({"bufferView": view, "componentType": 5126, "count": count, "type": "VEC3"});
    let rows =
        |ys: &[f32]| -> Vec<[f32; 3]> { ys.iter().flat_map(|y| [-0.05, 0.0, 0.05].map(|x| [x, *y, 0.1])).collect() };
    let skin = rows(&[0.0403, 0.0398, 0.06, 0.0, 0.0412]);
    let jaw = [[0.0, -0.031, -0.004], [0.0, -0.022, 0.0]];
    let (teeth, hair) = (rows(&[0.0401, 0.0399]), rows(&[0.1; 40]));
    let bounded = |mut accessor: serde_json::Value| {
        (accessor["min"], accessor["max"]) = (json!([-0.05, 0.0, 0.1]), json!([0.05, 0.1, 0.1]));
        accessor
    };
    let padded = skin.iter().flat_map(|[x, y, z]| [*x, *y, *z, 9.0]).flat_map(f32::to_le_bytes);
    let view = buffer.view(padded.collect::<Vec<_>>(), Some(16));
    accessors.push(bounded(vec3(view, 15)));
    let indices = buffer.view([3u16, 4, 5, 9, 10, 11].into_iter().flat_map(u16::to_le_bytes).collect::<Vec<_>>(), None);
    let values = buffer.floats(&[[jaw[0]; 3], [jaw[1]; 3]].concat());
    accessors.push(json!({"componentType": 5126, "count": 15, "type": "VEC3", "sparse": {"count": 6,
        "indices": {"bufferView": indices, "componentType": 5123}, "values": {"bufferView": values}}}));
    let mut close = vec![[0.0; 3]; 15];
    close[3..6].fill([0.0, 0.0305, 0.004]);
    accessors.push(vec3(buffer.floats(&close), 15));
    let mut funnel = vec![[0.0, 0.0, 0.004]; 15];
    let base = buffer.floats(&funnel);
    funnel[1] = [0.0, 0.005, 0.006];
    let (indices, values) = (buffer.view([1u8, 4], None), buffer.floats(&[funnel[1], [0.0, -0.003, 0.006]]));
    let mut sparse = vec3(base, 15);
    sparse["sparse"] = json!({"count": 2, "indices": {"bufferView": indices, "componentType": 5121}, "values": {"bufferView": values}});
    accessors.push(sparse);
    let mut press = vec![[0.0; 3]; 15];
    press[0..3].fill([0.0, -0.002, 0.0]);
    accessors.push(vec3(buffer.floats(&press), 15));
    for (positions, drop) in [(&teeth, -0.04), (&hair, 0.0)] {
        let view = buffer.floats(positions);
        accessors.push(bounded(vec3(view, positions.len())));
        let mut jaw = vec![[0.0; 3]; positions.len()];
        jaw[3..6].fill([0.0, drop, 0.0]);
        accessors.push(vec3(buffer.floats(&jaw), positions.len()));
    }
    let primitive = |position: usize, targets: [usize; 4]| json!({"attributes": {"POSITION": position}, "targets": targets.map(|target| json!({"POSITION": target}))});
    let primitives = json!([primitive(5, [6; 4]), primitive(0, [1, 2, 3, 4]), primitive(7, [8; 4])]);
    let names = json!({"targetNames": ["jawOpen", "mouth_close", "MouthFunnel", "mouthPress_L"]});
    buffer.glb(json!({
        "accessors": accessors,
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}, {"name": "face", "extras": names, "primitives": primitives}],
    }))
}

/// Writes `a.json`, `a.csv` and so on, and `head.glb`.
pub fn write(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for (name, seed) in [("a", 1), ("b", 22), ("c", 333)] {
        let mut random = Random(seed);
        let phones = phones(&mut random);
        let seconds: Vec<_> = phones
            .iter()
            .map(|(symbol, start, end)| (symbol, f64::from(*start) / 1e3, f64::from(*end) / 1e3))
            .collect();
        fs::write(folder.join(name).with_extension("json"), json!({"phones": seconds}).to_string()).unwrap();
        fs::write(folder.join(name).with_extension("csv"), track(&phones, &mut random)).unwrap();
    }
    fs::write(folder.join("head.glb"), head()).unwrap();
}
