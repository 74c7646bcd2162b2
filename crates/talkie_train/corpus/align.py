"""Phone timings by forced alignment: PyPI `pocketsphinx` (BSD-like, Carnegie Mellon University) with its acoustic model of
English, which learned from people. For recordings, of which only the text is known, and for synthesisers whose own timings are
coarse. Its frames are named by their beginning, so its boundaries are early: by 5 ms in the median on sound of flite, festival
and espeak-ng, whose timings are exact, and by 9 ms at sibilants (`talkie_train check`). 10 ms are taken out here; half of what
is left lies within 8 ms. Phones of other languages are aligned as the nearest English ones.
"""
import os
import tempfile

import numpy as np
import pocketsphinx

import items

STEP, EARLY = 0.01, 0.01
PHONES = set(items.IPA.values())
VOWELS = {"AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"}
# So much quieter than vowels a pause has to be, in decibels; else something else is said than the text says.
QUIETER = 18.0


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
            start, end = phone.start * STEP + EARLY, (phone.start + phone.duration) * STEP + EARLY
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
    if quieter(phones, audio) < QUIETER:
        raise ValueError("sound and text do not fit: loud pauses")
    phones[0][1], phones[-1][2] = 0.0, len(audio) / items.RATE
    return [[phone, round(start, 4), round(end, 4)] for phone, start, end in phones]


def hear(decoder, samples):
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)
    decoder.end_utt()


def quieter(phones, audio):
    """By how many decibels pauses of 0.1 s and more are quieter than vowels, in the middle half of each."""
    count = int(STEP * items.RATE)
    frames = audio[:len(audio) // count * count].reshape(-1, count)
    levels = 10 * np.log10(np.maximum((frames ** 2).mean(axis=1), 1e-10))
    levels = np.maximum(levels, levels.max() - 60)
    vowels, pauses = [], []
    for phone, start, end in phones:
        quarter = (end - start) / 4
        middle = levels[int((start + quarter) / STEP):int((end - quarter) / STEP)]
        if phone in VOWELS:
            vowels.extend(middle)
        elif phone == "SIL" and end - start >= 0.1:
            pauses.extend(middle)
    return np.mean(vowels) - np.mean(pauses) if vowels and pauses else np.inf


def again(symbols, audio, rate):
    """Phones in order, "SIL" where there may be a pause -> the same with timings; see `align`."""
    groups = [[]]
    for symbol in symbols:
        if symbol != "SIL":
            groups[-1].append(symbol)
        elif groups[-1]:
            groups.append([])
    return align([group for group in groups if group], audio, rate)
