"""Phone timings by forced alignment: PyPI `pocketsphinx` (BSD-like, Carnegie Mellon University) with its acoustic model of
English, which learned from people. For recordings, of which only the text is known, and for synthesisers whose own timings are
coarse. On sound of flite, festival and espeak-ng, whose timings are exact, its boundaries are 5 ms early in the median (taken
out here) and half of them lie within 8 ms. Phones of other languages are aligned as the nearest English ones.
"""
import os
import tempfile

import numpy as np
import pocketsphinx

import items

STEP, LATE = 0.01, 0.005
PHONES = set(items.IPA.values())


def align(words, audio, rate):
    """Words as lists of phones, in order -> [[phone, start s, end s], ...] with the pauses between words.

    Raises ValueError where sound and phones do not fit.
    """
    audio = items.resampled(audio, rate)
    peak = np.abs(audio).max()
    if not peak > 1e-3:
        raise ValueError("silent")
    # A breath of noise: the recogniser loses its way in digital silence.
    noise = np.random.default_rng(0).normal(0.0, 3e-5, len(audio))
    samples = ((audio * (0.5 / peak) + noise) * 32767).astype(np.int16).tobytes()
    with tempfile.NamedTemporaryFile("w", suffix=".dict") as dictionary:
        dictionary.write("".join(f"w{index} {' '.join(word)}\n" for index, word in enumerate(words)))
        dictionary.flush()
        decoder = pocketsphinx.Decoder(
            hmm=pocketsphinx.get_model_path(os.path.join("en-us", "en-us")), dict=dictionary.name, lm=None, samprate=items.RATE,
            loglevel="FATAL")
    decoder.set_align_text(" ".join(f"w{index}" for index in range(len(words))))
    try:
        hear(decoder, samples)
        if not decoder.hyp():
            raise ValueError("sound and text do not fit")
        decoder.set_alignment()
        hear(decoder, samples)
    except RuntimeError as error:
        raise ValueError(f"sound and text do not fit ({error})") from error
    phones, time = [], 0.0
    for word in decoder.get_alignment():
        for phone in word:
            name = phone.name if phone.name in PHONES else "SIL"
            start, end = phone.start * STEP + LATE, (phone.start + phone.duration) * STEP + LATE
            if name == "SIL" and phones and phones[-1][0] == "SIL":
                phones[-1][2] = end
            else:
                phones.append([name, max(start, time), end])
            time = end
    said = [phone for phone, _, _ in phones if phone != "SIL"]
    if said != [phone for word in words for phone in word]:
        raise ValueError("phones were lost")
    lengths = np.array([end - start for phone, start, end in phones if phone != "SIL"])
    if lengths.max() > 0.6 or np.mean(lengths < 0.035) > 0.4:
        raise ValueError("sound and text do not fit: impossible lengths")
    phones[0][1], phones[-1][2] = 0.0, len(audio) / items.RATE
    return [[phone, round(start, 4), round(end, 4)] for phone, start, end in phones]


def hear(decoder, samples):
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)
    decoder.end_utt()


def again(phones, audio, rate):
    """Phones with coarse timings -> the same with better ones."""
    groups = [[]]
    for phone, _, _ in phones:
        if phone != "SIL":
            groups[-1].append(phone)
        elif groups[-1]:
            groups.append([])
    return align([group for group in groups if group], audio, rate)
