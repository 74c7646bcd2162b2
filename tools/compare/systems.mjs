// The systems under test: each takes samples at its `rate` and gives a track, [[seconds, weights of CHANNELS], ...].
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Failure, readJson, readOgg, resample } from './input.mjs';
import { shape } from './visemes.mjs';
import { play } from './webaudio.mjs';

/** Frames per second of the tracks. */
const FPS = 60;

// ------------------------------------------------------------------ loudness
/** Samples at 16 kHz that one loudness value covers: 43 ms, as 2048 samples at 48 kHz. */
const LOUDNESS_WINDOW = 683;
/** Time constant of the smoothing, seconds. */
const LOUDNESS_SMOOTHING = 0.04;

/** Loudness drives the jaw: RMS of the last window, smoothed, as a share of the clip's loud parts (95th percentile). */
export function loudness() {
  const rate = 16000;
  const keep = Math.exp(-1 / FPS / LOUDNESS_SMOOTHING);
  const animate = (samples) => {
    let level = 0;
    const levels = Array.from({ length: Math.floor((samples.length / rate) * FPS) + 1 }, (_, frame) => {
      const end = Math.round((frame / FPS) * rate);
      const power = samples
        .subarray(Math.max(0, end - LOUDNESS_WINDOW), end)
        .reduce((sum, value) => sum + value * value, 0);
      return (level = keep * level + (1 - keep) * Math.sqrt(power / LOUDNESS_WINDOW));
    });
    const loud = levels.toSorted((a, b) => a - b)[Math.floor(0.95 * levels.length)] || 1;
    return levels.map((level, frame) => [frame / FPS, shape([['aa', Math.min(level / loud, 1)]])]);
  };
  return { rate, animate };
}

// ------------------------------------------------------------------ HeadAudio
/** Rate of HeadAudio's context: that of the speech its model was trained on. Its filters depend on the rate. */
const HEAD_AUDIO_RATE = 24000;

/** HeadAudio as published. With `mended`, viseme 0, "aa", counts: the node of 0.1.0 drops it in `if ( viseme )`. */
export async function headAudio({ mended = false } = {}) {
  await import('@met4citizen/headaudio/modules/headworklet.mjs');
  const { HeadAudio } = await import('@met4citizen/headaudio/modules/headaudio.mjs');
  class Mended extends HeadAudio {
    _onmessage(message) {
      super._onmessage(message);
      if (message.data.event === 'viseme' && message.data.viseme === 0) this.visemeActive = 0;
    }
  }
  const model = readFileSync(new URL(import.meta.resolve('@met4citizen/headaudio/dist/model-en-mixed.bin')));
  const animate = async (samples) => {
    const node = new (mended ? Mended : HeadAudio)({ sampleRate: HEAD_AUDIO_RATE });
    await node.loadModel(`data:application/octet-stream;base64,${model.toString('base64')}`);
    const weights = {};
    node.onvalue = (name, value) => (weights[name.replace('viseme_', '')] = value);
    const rows = [];
    play(node, samples, FPS, (seconds) => {
      node.update(1000 / FPS);
      rows.push([seconds, shape(Object.entries(weights))]);
    });
    return rows;
  };
  return { rate: HEAD_AUDIO_RATE, animate };
}

// ------------------------------------------------------------------ wLipSync
/** Phonemes of a uLipSync profile: the viseme of each, and the ARPAbet phones its voice lines are calibrated with. */
const PHONEMES = {
  A: { viseme: 'aa', phones: ['AA', 'AE', 'AH', 'AY', 'AW'] },
  I: { viseme: 'I', phones: ['IY', 'IH'] },
  U: { viseme: 'U', phones: ['UW', 'UH', 'W'] },
  E: { viseme: 'E', phones: ['EH', 'EY'] },
  O: { viseme: 'O', phones: ['OW', 'AO', 'OY'] },
  N: { viseme: 'PP', phones: ['M', 'N', 'NG'] },
  '-': { viseme: 'SS', phones: ['S', 'Z', 'SH', 'ZH', 'CH', 'JH', 'F', 'TH'] },
};
/** Settings of uLipSync's sample profiles, but for the comparison (0: L1), the best of its three here. */
const PROFILE = {
  targetSampleRate: 16000,
  sampleCount: 1024,
  melFilterBankChannels: 30,
  compareMethod: 0,
  mfccNum: 12,
  mfccDataCount: 1,
  useStandardization: false,
};
/** Rate of wLipSync's context: what most devices have, and three times the rate of the profile. */
const WLIPSYNC_RATE = 48000;
/** The processor's ring buffer outlives a node; this much silence before each clip empties it. */
const LEAD = 0.25;

async function wLipSyncNode(profile) {
  await import('wlipsync/audio-processor.js');
  const { WLipSyncAudioNode } = await import('wlipsync/wlipsync.js');
  const wasm = await WebAssembly.compile(readFileSync(new URL(import.meta.resolve('wlipsync/wlipsync.wasm'))));
  const node = new WLipSyncAudioNode({ sampleRate: WLIPSYNC_RATE }, profile, wasm);
  while (node.processor.inputBufferIndex < 0) await new Promise(setImmediate);
  return node;
}

const withLead = (samples) => {
  const led = new Float32Array(samples.length + LEAD * WLIPSYNC_RATE);
  led.set(samples, LEAD * WLIPSYNC_RATE);
  return led;
};

/** wLipSync with a profile, weights times volume as in its example. */
export function wLipSync(profile) {
  const animate = async (samples) => {
    const node = await wLipSyncNode(profile);
    const rows = [];
    play(node, withLead(samples), FPS, (seconds) => {
      if (seconds < LEAD) return;
      const weights = Object.entries(node.weights).map(([name, weight]) => [
        PHONEMES[name].viseme,
        weight * node.volume,
      ]);
      rows.push([seconds - LEAD, shape(weights)]);
    });
    return rows;
  };
  return { rate: WLIPSYNC_RATE, animate };
}

/** Reads a profile as uLipSync exports it. */
export function readProfile(path) {
  const profile = readJson(path);
  const good = ({ name, mfccCalibrationDataList: data }) =>
    name in PHONEMES &&
    Array.isArray(data) &&
    data.length === profile.mfccDataCount &&
    data.every(({ array }) => array?.length === PROFILE.mfccNum);
  if (!Array.isArray(profile?.mfccs) || !profile.mfccs.length || !profile.mfccs.every(good)) {
    const names = Object.keys(PHONEMES).join(' ');
    throw new Failure(
      `${path}: expected a uLipSync profile: "mfccs", each with a "name" (${names}) and "mfccDataCount" arrays of 12`,
    );
  }
  return profile;
}

/**
 * The package ships no profile. This makes one from spoken lines (NAME.ogg beside NAME.json with `speaker` and `phones`),
 * as uLipSync's calibration does: the mean MFCC of each phoneme, a set for each speaker.
 */
export async function calibrateProfile(voices) {
  const lines = existsSync(voices) ? readdirSync(voices).filter((name) => name.endsWith('.ogg')) : [];
  if (!lines.length) throw new Failure(`${voices}: expected a folder of voice lines, NAME.ogg beside NAME.json`);
  // wLipSync 1.3.1 computes only as many coefficients as the profile has entries: twelve blank ones give all twelve.
  const blank = { name: '-', mfccCalibrationDataList: [{ array: Array(PROFILE.mfccNum).fill(1) }] };
  const node = await wLipSyncNode({ ...PROFILE, mfccs: Array(PROFILE.mfccNum).fill(blank) });
  const { exports, inputBuffer } = node.processor;
  const mfcc = new Float32Array(inputBuffer.buffer, exports.mfccOut.value, PROFILE.mfccNum);
  const sets = new Map();
  for (const line of lines) {
    const alignment = join(voices, `${basename(line, '.ogg')}.json`);
    const { speaker, phones } = readJson(alignment);
    if (!Array.isArray(phones)) throw new Failure(`${alignment}: expected "phones": [["AA", start, end], ...]`);
    const { samples, rate } = await readOgg(join(voices, line));
    const heard = [];
    node.port.onmessage = ({ data: { timestamp } }) => {
      const centre = timestamp - LEAD - PROFILE.sampleCount / PROFILE.targetSampleRate / 2;
      const phone = phones.find(([, start, end]) => Math.abs(centre - (start + end) / 2) <= (end - start) / 4)?.[0];
      const name = Object.keys(PHONEMES).find((name) => PHONEMES[name].phones.includes(phone));
      if (name) heard.push([name, Array.from(mfcc)]);
    };
    play(node, withLead(resample(samples, rate, WLIPSYNC_RATE)), FPS, () => {});
    for (const [name, values] of heard) {
      const key = `${speaker} ${name}`;
      const set = sets.get(key) ?? { name, count: 0, sum: Array(PROFILE.mfccNum).fill(0) };
      set.count++;
      values.forEach((value, i) => (set.sum[i] += value));
      sets.set(key, set);
    }
  }
  const mfccs = [...sets.values()].map(({ name, count, sum }) => ({
    name,
    mfccCalibrationDataList: [{ array: sum.map((value) => value / count) }],
  }));
  return { ...PROFILE, mfccs };
}
