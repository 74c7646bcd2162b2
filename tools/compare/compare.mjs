import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Failure, readJson, readWav, resample, WAV_RATE } from './input.mjs';
import { calibrateProfile, headAudio, loudness, readProfile, wLipSync } from './systems.mjs';
import { CHANNELS } from './visemes.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const usage = `node compare.mjs DIR [options]

  DIR        recordings: NAME.wav (16-bit PCM, mono, ${WAV_RATE} Hz) beside NAME.json
             {"phones": [["AA", start, end], ...]}, ARPAbet and SIL, seconds
  --talkie   the talkie program (target/release/talkie)
  --model    model folder for talkie (its own default)
  --tracks   where the tracks and scores go (target/compare)
  --voices   voice lines that calibrate wLipSync: NAME.ogg beside NAME.json (assets/voices)
  --profile  a uLipSync profile (JSON) for wLipSync instead
  --out      also write the table to this file`;

/** Column heading, key in the report of `talkie eval`, digits. */
const COLUMNS = [
  ['closure AUC ↑', 'closure_auc', 2],
  ['P B M closed ↑', 'bilabial_recall', 2],
  ['no pause near ↑', 'bilabial_inner', 2],
  ['same at vowels ↓', 'false_window', 2],
  ['vowel centres closed ↓', 'false_closure', 2],
  ['F V ↑', 'labiodental', 2],
  ['same at S T K … ↓', 'labio_other', 2],
  ['vowel r ↑', 'vowel_r', 2],
  ['rounding AUC ↑', 'rounding_auc', 2],
  ['spread AUC ↑', 'spread_auc', 2],
  ['open in silence ↓', 'sil_level', 2],
  ['flicker ↓', 'jerk', 3],
  ['own lag, ms', 'shift_ms', 0],
];

function run(program, parameters) {
  const { error, status, signal, stderr } = spawnSync(program, parameters, { encoding: 'utf8' });
  const command = `${program} ${parameters.join(' ')}`;
  if (error) throw new Failure(`${command}: ${error.message}`);
  if (status !== 0) throw new Failure(`${command}: ${signal ?? `exit code ${status}`}\n${stderr.trim()}`);
}

function recordings(folder) {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) throw new Failure(`${folder}: no such folder`);
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.wav'))
    .map((file) => basename(file, '.wav'))
    .sort();
  const aligned = names.filter((name) => existsSync(join(folder, `${name}.json`)));
  for (const name of names.filter((name) => !aligned.includes(name))) {
    console.error(`${join(folder, name)}.wav: skipped, no ${name}.json beside it`);
  }
  if (!aligned.length) throw new Failure(`${folder}: no recordings; expected NAME.wav beside NAME.json`);
  return aligned.map((name) => {
    const path = join(folder, `${name}.wav`);
    return { name, path, samples: readWav(path) };
  });
}

async function writeTracks({ rate, animate }, clips, folder) {
  for (const { name, samples } of clips) {
    const rows = await animate(resample(samples, WAV_RATE, rate));
    const lines = rows.map(([seconds, weights]) =>
      [seconds.toFixed(6), ...weights.map((weight) => weight.toFixed(5))].join(','),
    );
    writeFileSync(join(folder, `${name}.csv`), `${['time', ...CHANNELS].join(',')}\n${lines.join('\n')}\n`);
  }
}

/** What `talkie eval` says of a folder of tracks, each system's own constant lag taken out. */
function score(talkie, recordings, tracks) {
  const report = `${tracks}.json`;
  run(talkie, ['eval', recordings, '--tracks', tracks, '--auto-shift', '--json', report]);
  const { total, shift_ms } = readJson(report);
  if (!total) throw new Failure(`${report}: no "total"; expected the report of this project's talkie eval`);
  return { ...total, shift_ms: shift_ms ?? total.shift_ms };
}

function table(rows) {
  const cell = (value, digits) => (typeof value === 'number' ? value.toFixed(digits) : '–');
  return [
    ['', ...COLUMNS.map(([heading]) => heading)],
    ['---', ...COLUMNS.map(() => '---:')],
    ...rows.map(([title, scores]) => [title, ...COLUMNS.map(([, key, digits]) => cell(scores[key], digits))]),
  ]
    .map((cells) => `| ${cells.join(' | ')} |\n`)
    .join('');
}

async function main(folder, options) {
  if (!existsSync(options.talkie)) {
    throw new Failure(
      `${options.talkie}: no such program; build it with "cargo build --release --bin talkie" or name it with --talkie`,
    );
  }
  const clips = recordings(folder);
  const { dependencies } = readJson(join(here, 'package.json'));
  const head = `HeadAudio ${dependencies['@met4citizen/headaudio']}`;
  const profile = options.profile ? readProfile(options.profile) : await calibrateProfile(options.voices);
  const systems = [
    ['loudness', 'loudness drives the jaw', loudness()],
    ['headaudio', head, await headAudio()],
    ['headaudio_aa', `${head}, aa mended`, await headAudio({ mended: true })],
    ['wlipsync', `wLipSync ${dependencies.wlipsync}`, wLipSync(profile)],
    ['talkie', 'talkie', null],
  ];
  const model = options.model ? ['--model', options.model] : [];
  const rows = [];
  for (const [id, title, system] of systems) {
    const tracks = join(options.tracks, id);
    rmSync(tracks, { recursive: true, force: true });
    mkdirSync(tracks, { recursive: true });
    if (system) await writeTracks(system, clips, tracks);
    else
      clips.forEach(({ name, path }) =>
        run(options.talkie, ['animate', path, '-o', join(tracks, `${name}.csv`), ...model]),
      );
    rows.push([title, score(options.talkie, folder, tracks)]);
  }
  const seconds = clips.reduce((sum, { samples }) => sum + samples.length / WAV_RATE, 0);
  const heading = `${clips.length} recordings, ${seconds.toFixed(1)} s; each system's own constant lag is taken out first.`;
  const text = `${heading}\n\n${table(rows)}`;
  process.stdout.write(text);
  if (options.out) writeFileSync(options.out, text);
}

let parsed;
try {
  const names = ['talkie', 'model', 'tracks', 'voices', 'profile', 'out'];
  parsed = parseArgs({
    allowPositionals: true,
    options: {
      ...Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (parsed.values.help) {
    console.log(usage);
    process.exit(0);
  }
  if (parsed.positionals.length !== 1) throw new Error('expected one folder of recordings');
} catch (error) {
  console.error(`compare: ${error.message}\n\n${usage}`);
  process.exit(2);
}
const defaults = {
  talkie: join(root, 'target/release', process.platform === 'win32' ? 'talkie.exe' : 'talkie'),
  tracks: join(root, 'target/compare'),
  voices: join(root, 'assets/voices'),
};
const paths = Object.entries({ ...defaults, ...parsed.values }).map(([name, path]) => [name, resolve(path)]);
try {
  await main(resolve(parsed.positionals[0]), Object.fromEntries(paths));
} catch (error) {
  if (!(error instanceof Failure) && !error.code) throw error;
  const hint = error.code === 'ERR_MODULE_NOT_FOUND' ? '\nRun "npm ci" in tools/compare first.' : '';
  console.error(`compare: ${error.message}${hint}`);
  process.exitCode = 1;
}
