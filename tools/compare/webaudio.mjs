// The part of Web Audio that AudioWorklet packages touch, run offline: a node and its processor share one thread, a
// message arrives as soon as it is posted, and time is that of the samples.

const BLOCK = 128;
const processors = new Map();
let portOfNextProcessor;

function channel() {
  const [a, b] = [{ onmessage: null }, { onmessage: null }];
  a.postMessage = (data) => b.onmessage?.({ data });
  b.postMessage = (data) => a.onmessage?.({ data });
  return [a, b];
}

globalThis.AudioWorkletProcessor = class {
  port = portOfNextProcessor;
};

globalThis.registerProcessor = (name, type) => processors.set(name, type);

globalThis.AudioWorkletNode = class {
  constructor(context, name, options = {}) {
    const type = processors.get(name);
    [this.port, portOfNextProcessor] = channel();
    globalThis.sampleRate = context.sampleRate;
    globalThis.currentTime = 0;
    this.context = context;
    this.parameters = new Map(
      (type.parameterDescriptors ?? []).map(({ name, defaultValue = 0 }) => [
        name,
        { value: options.parameterData?.[name] ?? defaultValue },
      ]),
    );
    this.processor = new type(options);
  }
};

/** Plays `samples` into `node` block by block and calls `frame(seconds)` `fps` times a second, as an animation loop. */
export function play(node, samples, fps, frame) {
  const rate = node.context.sampleRate;
  const parameters = Object.fromEntries([...node.parameters].map(([name, { value }]) => [name, [value]]));
  let frames = 0;
  for (let start = 0; start < samples.length; start += BLOCK) {
    const block = new Float32Array(BLOCK);
    block.set(samples.subarray(start, start + BLOCK));
    globalThis.currentTime = start / rate;
    node.processor.process([[block]], [[]], parameters);
    for (; frames / fps <= (start + BLOCK) / rate; frames++) frame(frames / fps);
  }
}
