"""What makes one character differ from another: the numbers an artist changes."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Band:
    """One band of a collar, swept along the neckline (decimetres)."""

    color: tuple
    offset: float
    rise: float
    thickness: float
    height: float


@dataclass(frozen=True)
class Neckline:
    """The border between skin and clothes: its heights over the neck joint in front, at the sides and behind
    (decimetres), and the bands of the collar."""

    heights: tuple
    bands: tuple


@dataclass(frozen=True)
class Brows:
    """Eyebrow shape relative to the eyes (decimetres) and its hairs."""

    color: tuple
    rise: float
    arch: float
    thickness: float
    density: float


@dataclass(frozen=True)
class Beard:
    """A trimmed beard: hair colour, share of grey hairs, opacity of the shade underneath."""

    color: tuple
    grey: float
    shade: float


@dataclass(frozen=True)
class Character:
    """A character of the collection. Colours are sRGB 0..255; shape amounts are MakeHuman target weights."""

    name: str
    title: str
    # Shape
    races: dict
    female: float
    old: float
    heavy: float
    muscular: float
    ideal_proportions: float
    details: dict
    mood: dict
    bust: tuple
    # Skin
    skin: tuple
    blush: float
    lips: tuple
    lip_opacity: float
    freckles: int
    brows: Brows
    # Eyes
    eye_color: tuple
    eye_inner_color: tuple
    # Hair: `bob` is built from sheets and locks, `crop` from fur shells.
    hair: str
    hair_color: tuple
    hair_tip_color: tuple
    # Clothes
    cloth: tuple
    neckline: Neckline
    beard: Beard = None
    lash_color: tuple = field(default=(10, 8, 8))


ADA = Character(
    name="ada",
    title="Ada",
    races={"caucasian": 0.55, "asian": 0.30, "african": 0.15},
    female=1.0,
    old=0.10,
    heavy=0.05,
    muscular=0.0,
    ideal_proportions=0.7,
    details={"head/head-oval": 0.35, "eyes/*-eye-scale-incr": 0.30, "nose/nose-scale-horiz-decr": 0.15,
             "mouth/mouth-upperlip-volume-incr": 0.15, "cheek/*-cheek-bones-incr": 0.25,
             "chin/chin-width-decr": 0.25},
    mood={"mouthSmileLeft": 0.16, "mouthSmileRight": 0.16, "browInnerUp": 0.08},
    bust=(1.80, 1.30),
    skin=(222, 172, 147),
    blush=1.0,
    lips=(186, 92, 92),
    lip_opacity=0.80,
    freckles=260,
    brows=Brows(color=(78, 47, 33), rise=0.205, arch=0.085, thickness=0.038, density=0.95),
    eye_color=(98, 112, 66),
    eye_inner_color=(164, 116, 58),
    hair="bob",
    hair_color=(74, 38, 24),
    hair_tip_color=(140, 78, 44),
    cloth=(38, 92, 100),
    neckline=Neckline(heights=(-0.47, 0.05, 0.27), bands=(
        Band(color=(0.05, 0.16, 0.18), offset=0.00, rise=0.02, thickness=0.045, height=0.07),)),
)

BEN = Character(
    name="ben",
    title="Ben",
    races={"african": 0.75, "caucasian": 0.25},
    female=0.0,
    old=0.40,
    heavy=0.40,
    muscular=0.45,
    ideal_proportions=0.5,
    details={"head/head-square": 0.20, "chin/chin-width-incr": 0.25, "neck/neck-scale-horiz-incr": 0.15,
             "eyes/*-eye-scale-incr": 0.10, "eyebrows/eyebrows-trans-forward": 0.2},
    mood={"mouthSmileLeft": 0.08, "mouthSmileRight": 0.08, "eyeSquintLeft": 0.10, "eyeSquintRight": 0.10},
    bust=(2.10, 1.45),
    skin=(128, 82, 58),
    blush=0.55,
    lips=(124, 66, 58),
    lip_opacity=0.62,
    freckles=0,
    brows=Brows(color=(26, 20, 18), rise=0.190, arch=0.045, thickness=0.062, density=1.15),
    eye_color=(66, 40, 24),
    eye_inner_color=(104, 64, 34),
    hair="crop",
    hair_color=(38, 33, 31),
    hair_tip_color=(120, 114, 108),
    cloth=(74, 78, 88),
    neckline=Neckline(heights=(-0.32, 0.20, 0.38), bands=(
        Band(color=(0.055, 0.062, 0.08), offset=0.015, rise=0.03, thickness=0.055, height=0.085),
        Band(color=(0.72, 0.72, 0.70), offset=-0.012, rise=0.095, thickness=0.032, height=0.07))),
    beard=Beard(color=(30, 25, 23), grey=0.38, shade=0.62),
)

CHARACTERS = {c.name: c for c in (ADA, BEN)}
