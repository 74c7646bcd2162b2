import { readFileSync } from 'node:fs';

export const WAV_RATE = 16000;
/** What is wrong with the input, as one message for a person. */
export class Failure extends Error {}

export function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Failure(`${path}: ${error.message}; expected a JSON file`);
  }
}

/** Zero crossings of the resampler's kernel on either side. */
const CROSSINGS = 24;

/** Samples of a WAV file, -1 to 1: 16-bit PCM, mono, 16 kHz. */
export function readWav(path) {
  const bytes = readFileSync(path);
  const wrong = (found) => new Failure(`${path}: ${found}; expected a WAV file, 16-bit PCM, mono, ${WAV_RATE} Hz`);
  if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE')
    throw wrong('not a WAV file');
  let format;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const id = bytes.toString('latin1', at, at + 4);
    const start = at + 8;
    const end = Math.min(start + bytes.readUInt32LE(at + 4), bytes.length);
    if (id === 'fmt ' && end - start >= 16) {
      format = [0, 2, 14].map((offset) => bytes.readUInt16LE(start + offset));
      const rate = bytes.readUInt32LE(start + 4);
      const [kind, channels, bits] = format;
      if ((kind !== 1 && kind !== 0xfffe) || bits !== 16) throw wrong(`format ${kind} with ${bits} bits`);
      if (channels !== 1) throw wrong(`${channels} channels`);
      if (rate !== WAV_RATE) throw wrong(`${rate} Hz`);
    } else if (id === 'data') {
      if (!format) throw wrong('sound before its format');
      if (end - start < 2) throw wrong('no sound');
      return Float32Array.from({ length: (end - start) >> 1 }, (_, i) => bytes.readInt16LE(start + 2 * i) / 32768);
    }
    at = end + (end & 1);
  }
  throw wrong('no sound');
}

/** Samples and rate of a mono Ogg Vorbis file. */
export async function readOgg(path) {
  const { OggVorbisDecoder } = await import('@wasm-audio-decoders/ogg-vorbis');
  const decoder = new OggVorbisDecoder();
  await decoder.ready;
  const { channelData, sampleRate, errors } = await decoder.decodeFile(readFileSync(path));
  decoder.free();
  if (errors.length || channelData.length !== 1) throw new Failure(`${path}: expected a mono Ogg Vorbis file`);
  return { samples: channelData[0], rate: sampleRate };
}

/** Hann-windowed sinc interpolation; the pass band ends at 95 % of the lower Nyquist frequency. */
export function resample(samples, from, to) {
  if (from === to) return samples;
  const cut = 0.95 * Math.min(1, to / from);
  const reach = CROSSINGS / cut;
  const taps = new Map();
  const kernel = (phase) => {
    if (!taps.has(phase)) {
      const offsets = Array.from({ length: 2 * Math.ceil(reach) }, (_, i) => i + 1 - Math.ceil(reach));
      taps.set(
        phase,
        offsets.map((offset) => {
          const x = offset - phase / to;
          const sinc = x === 0 ? 1 : Math.sin(Math.PI * cut * x) / (Math.PI * cut * x);
          return [offset, Math.abs(x) < reach ? cut * sinc * (0.5 + 0.5 * Math.cos((Math.PI * x) / reach)) : 0];
        }),
      );
    }
    return taps.get(phase);
  };
  return Float32Array.from({ length: Math.floor((samples.length * to) / from) }, (_, i) => {
    const at = Math.floor((i * from) / to);
    return kernel((i * from) % to).reduce((sum, [offset, weight]) => sum + weight * (samples[at + offset] ?? 0), 0);
  });
}
