"""festival (Debian package of that name, BSD-like licence): an HTS voice and two diphone voices of English, exact timings.
Debian's voices of other languages are GPL, so they stay out."""
import os
import subprocess
import tempfile

import soundfile

import items

# Debian packages festvox-us-slt-hts, festvox-kallpc16k, festvox-kdlpc16k.
VOICES = ["cmu_us_slt_arctic_hts", "kal_diphone", "ked_diphone"]
PHONES = {"pau": "SIL", "ssil": "SIL", "ax": "AH", "axr": "ER", "ix": "IH", "dx": "D", "nx": "N", "el": "L", "em": "M", "en": "N"}


class Festival:
    """One running interpreter."""

    def __init__(self):
        self.process = subprocess.Popen(["festival", "--pipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.voice = None

    def speak(self, voice, stretch, text, path):
        """Writes the sound and returns [(symbol, end in seconds)]."""
        commands = "" if voice == self.voice else f"(voice_{voice})\n"
        self.voice = voice
        commands += f"""(Parameter.set 'Duration_Stretch {stretch:.3f})
(set! u (utt.synth (Utterance Text "{text}")))
(utt.save.wave u "{path}" 'riff)
(mapcar (lambda (s) (format t "phone %s %f\\n" (item.name s) (item.feat s "end"))) (utt.relation.items u 'Segment))
(format t "done\\n")
(fflush nil)
"""
        self.process.stdin.write(commands.encode("ascii", "replace"))
        self.process.stdin.flush()
        marks = []
        for line in self.process.stdout:
            words = line.decode("latin-1").split()
            if words[:1] == ["done"]:
                return marks
            if words[:1] == ["phone"] and len(words) == 3:
                marks.append((words[1], float(words[2])))
        raise SystemExit("festival ended by itself")


def main():
    options = items.arguments(__doc__)
    engine = Festival()

    def make(index, sentence, random):
        voice = VOICES[index % len(VOICES)]
        stretch, name = random.uniform(0.85, 1.2), f"{voice}_{index:05}"

        def speak():
            text = "".join(c for c in sentence if c not in "\"\\\\()")
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "a.wav")
                marks = engine.speak(voice, stretch, text, path)
                audio, rate = soundfile.read(path)
            phones, start = [], 0.0
            for symbol, end in marks:
                if end > start:
                    phones.append([PHONES.get(symbol, symbol.upper()), round(start, 4), round(end, 4)])
                    start = end
            if len(phones) < 4 or abs(start - len(audio) / rate) > 0.3:
                raise ValueError("timings do not cover the audio")
            return items.write(options, name, audio, rate, "festival", "festival-" + voice, sentence, phones)
        return name, speak
    items.collect(options, make)


if __name__ == "__main__":
    main()
