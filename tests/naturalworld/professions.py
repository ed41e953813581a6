"""Professions: which are drawn, how many of those who have one are women, and which skin tones the pictures have."""

from dataclasses import dataclass

GENDERS = ("woman", "man", "person")  # the woman's, the man's and the neutral form
SKIN_TONES = ("light", "medium-light", "medium", "medium-dark", "dark")

# Who is drawn where a caption says neither woman nor man: in this share the neutral form, else a woman or a man by `women`.
SHARE_OF_NEUTRAL = 0.1
# Skin tones are drawn unevenly, too. A rough choice of ours; it follows no statistic.
SHARE_OF_SKIN_TONES = (0.35, 0.25, 0.18, 0.12, 0.10)


@dataclass(frozen=True)
class Profession:
    """`women` is the share of women among the pictures that show a woman or a man."""

    noun: str
    picture: str
    women: float
    synonyms: tuple[str, ...] = ()
    plural: str = ""

    @property
    def many(self) -> str:
        return self.plural or self.noun + "s"


# Shares of women, approximate and from memory, rounded to five hundredths: employed persons by detailed occupation in the
# United States (Bureau of Labor Statistics, Current Population Survey, table 11, about 2022). Where the survey has no such
# row the nearest one is named behind the entry. None of them is a measurement of ours.
PROFESSIONS = (
    Profession("nurse", "health-worker", 0.90, ("hospital nurse",)),  # registered nurses: .88
    Profession("student", "student", 0.60, ("graduate",)),  # degrees conferred: .58
    Profession("teacher", "teacher", 0.75, ("schoolteacher",)),  # elementary, middle and secondary school together
    Profession("judge", "judge", 0.40),  # judges, magistrates
    Profession("farmer", "farmer", 0.25),  # farmers, ranchers, agricultural managers
    Profession("cook", "cook", 0.40, ("chef",)),  # cooks: .40; chefs: .25
    Profession("mechanic", "mechanic", 0.05, ("car mechanic",)),  # automotive service technicians: .02
    Profession("welder", "factory-worker", 0.05),  # welding workers: .05
    Profession("office worker", "office-worker", 0.70, ("clerk",)),  # office and administrative support
    Profession("scientist", "scientist", 0.45, ("chemist",)),  # life, physical and social science
    Profession("programmer", "technologist", 0.20, ("software developer",)),  # software developers
    Profession("singer", "singer", 0.35, ("rock star",)),  # musicians and singers
    Profession("artist", "artist", 0.55, ("painter",)),  # artists and related workers
    Profession("pilot", "pilot", 0.10, ("airline pilot",)),  # aircraft pilots: .08
    Profession("firefighter", "firefighter", 0.05),  # firefighters: .05
    Profession("police officer", "police-officer", 0.15, ("cop",)),  # police officers
    Profession("builder", "construction-worker", 0.05, ("construction worker",)),  # construction trades: .04
)


def picture_name(profession: Profession, gender: str, skin_tone: str) -> str:
    """The name of the designers' picture."""
    form = "" if gender == "person" else f"{gender}-"
    return f"{form}{profession.picture}-{skin_tone}-skin-tone"


def profession_pictures(profession: Profession) -> list[str]:
    return [picture_name(profession, gender, tone) for gender in GENDERS for tone in SKIN_TONES]
