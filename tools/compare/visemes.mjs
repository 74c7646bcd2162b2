// What a mouth does at each viseme, as ARKit blend shapes at full weight. Both packages are read through this one table.
// Names and example sounds: Meta's Oculus Lipsync viseme reference. Jaw: open vowels wide, close vowels and consonants
// narrow. Lips: pressed for P B M, lower lip under the teeth for F V, rounded for O U and CH, drawn back for I E S.
const pair = (name, value) => ({ [`${name}Left`]: value, [`${name}Right`]: value });

const VISEMES = {
  sil: {},
  PP: { mouthRollLower: 0.3, mouthRollUpper: 0.3, ...pair('mouthPress', 0.5) }, // put, bat, mat
  FF: { jawOpen: 0.08, mouthRollLower: 0.8, ...pair('mouthUpperUp', 0.2) }, // fat, vat
  TH: { jawOpen: 0.15, ...pair('mouthLowerDown', 0.15) }, // think, that
  DD: { jawOpen: 0.12, ...pair('mouthLowerDown', 0.15) }, // tip, doll
  kk: { jawOpen: 0.18, ...pair('mouthLowerDown', 0.1) }, // call, gas
  CH: { jawOpen: 0.1, mouthFunnel: 0.5, mouthPucker: 0.2 }, // chair, join, she
  SS: { jawOpen: 0.08, ...pair('mouthStretch', 0.3), ...pair('mouthSmile', 0.1) }, // sir, zeal
  nn: { jawOpen: 0.12, ...pair('mouthLowerDown', 0.1) }, // lot, not
  RR: { jawOpen: 0.15, mouthFunnel: 0.3, mouthPucker: 0.1 }, // red
  aa: { jawOpen: 0.7 }, // car
  E: { jawOpen: 0.45, ...pair('mouthStretch', 0.2), ...pair('mouthSmile', 0.2) }, // bed
  I: { jawOpen: 0.22, ...pair('mouthStretch', 0.3), ...pair('mouthSmile', 0.4) }, // tip
  O: { jawOpen: 0.45, mouthFunnel: 0.5, mouthPucker: 0.2 }, // toe
  U: { jawOpen: 0.18, mouthFunnel: 0.2, mouthPucker: 0.8 }, // book
};

export const CHANNELS = [...new Set(Object.values(VISEMES).flatMap(Object.keys))];

/** Weights of CHANNELS for weighted visemes: [[name, weight], ...]. */
export function shape(visemes) {
  const face = Object.fromEntries(CHANNELS.map((channel) => [channel, 0]));
  for (const [viseme, weight] of visemes) {
    for (const [channel, value] of Object.entries(VISEMES[viseme])) face[channel] += weight * value;
  }
  return CHANNELS.map((channel) => Math.min(face[channel], 1));
}
