"""What there is: each thing's name, the designers' picture of it, and the colour that it has by nature."""

from dataclasses import dataclass

IRREGULAR = {"fish": "fish", "tropical fish": "tropical fish", "scarf": "scarves", "woollen scarf": "woollen scarves"}


@dataclass(frozen=True)
class Thing:
    """`colour` is its natural one, a key of `colours.COLOURS`, or None where its main colour is not turned.

    A thing has a colour if its main colour takes at least `LEAST_SHARE` of it in both styles, and `LEAST_TOLD` of that part
    has the right name whatever it is turned to (`measure.py`). Where one style draws it in another colour, the picture is
    turned to the natural one.
    """

    noun: str
    picture: str
    kind: str
    colour: str | None
    synonyms: tuple[str, ...] = ()


LEAST_SHARE = 0.4
LEAST_TOLD = 0.6

THINGS = (
    Thing("dog", "dog-face", "animal", None, synonyms=("puppy",)),
    Thing("cat", "cat-face", "animal", "yellow", synonyms=("kitten",)),
    Thing("fox", "fox", "animal", "orange"),
    Thing("lion", "lion", "animal", None),
    Thing("tiger", "tiger-face", "animal", None),
    Thing("panda", "panda", "animal", None, synonyms=("panda bear",)),
    Thing("pig", "pig-face", "animal", "pink", synonyms=("piglet",)),
    Thing("frog", "frog", "animal", "green"),
    Thing("rabbit", "rabbit-face", "animal", None, synonyms=("bunny",)),
    Thing("bear", "bear", "animal", "brown"),
    Thing("cow", "cow-face", "animal", None),
    Thing("horse", "horse-face", "animal", "brown", synonyms=("pony",)),
    Thing("elephant", "elephant", "animal", None),
    Thing("giraffe", "giraffe", "animal", None),
    Thing("bird", "bird", "animal", "blue", synonyms=("little bird",)),
    Thing("owl", "owl", "animal", "brown"),
    Thing("penguin", "penguin", "animal", None),
    Thing("parrot", "parrot", "animal", "green"),
    Thing("flamingo", "flamingo", "animal", "pink"),
    Thing("peacock", "peacock", "animal", None),
    Thing("snake", "snake", "animal", "green", synonyms=("serpent",)),
    Thing("turtle", "turtle", "animal", None, synonyms=("tortoise",)),
    Thing("whale", "spouting-whale", "animal", "blue"),
    Thing("fish", "tropical-fish", "animal", "yellow", synonyms=("tropical fish",)),
    Thing("octopus", "octopus", "animal", "red"),
    Thing("crab", "crab", "animal", "red"),
    Thing("butterfly", "butterfly", "animal", "blue"),
    Thing("bee", "honeybee", "animal", None, synonyms=("honeybee",)),
    Thing("ladybug", "lady-beetle", "animal", "red", synonyms=("ladybird",)),
    Thing("unicorn", "unicorn", "animal", None),
    Thing("apple", "red-apple", "food", "red"),
    Thing("pear", "pear", "food", "green"),
    Thing("lemon", "lemon", "food", "yellow"),
    Thing("banana", "banana", "food", None),
    Thing("strawberry", "strawberry", "food", "red"),
    Thing("hamburger", "hamburger", "food", None, synonyms=("burger",)),
    Thing("watermelon", "watermelon", "food", None, synonyms=("melon",)),
    Thing("pineapple", "pineapple", "food", None),
    Thing("eggplant", "eggplant", "food", "purple", synonyms=("aubergine",)),
    Thing("carrot", "carrot", "food", "orange"),
    Thing("chili", "hot-pepper", "food", "red", synonyms=("hot pepper",)),
    Thing("bell pepper", "bell-pepper", "food", "green", synonyms=("sweet pepper",)),
    Thing("mushroom", "mushroom", "food", None, synonyms=("toadstool",)),
    Thing("doughnut", "doughnut", "food", "brown", synonyms=("donut",)),
    Thing("pizza", "pizza", "food", None, synonyms=("slice of pizza",)),
    Thing("cake", "birthday-cake", "food", None, synonyms=("birthday cake",)),
    Thing("rose", "rose", "flower", "red"),
    Thing("tulip", "tulip", "flower", "pink"),
    Thing("sunflower", "sunflower", "flower", "yellow"),
    Thing("cactus", "cactus", "plant", "green"),
    Thing("palm tree", "palm-tree", "plant", None, synonyms=("palm",)),
    Thing("pine tree", "evergreen-tree", "plant", "green", synonyms=("fir tree",)),
    Thing("tree", "deciduous-tree", "plant", "green"),
    Thing("maple leaf", "maple-leaf", "plant", "red", synonyms=("autumn leaf",)),
    Thing("car", "automobile", "vehicle", "red", synonyms=("automobile",)),
    Thing("bus", "trolleybus", "vehicle", None, synonyms=("trolleybus",)),
    Thing("tractor", "tractor", "vehicle", None),
    Thing("bicycle", "bicycle", "vehicle", None, synonyms=("bike",)),
    Thing("train", "locomotive", "vehicle", None, synonyms=("steam engine",)),
    Thing("airplane", "airplane", "vehicle", "blue", synonyms=("plane",)),
    Thing("helicopter", "helicopter", "vehicle", "yellow", synonyms=("chopper",)),
    Thing("sailboat", "sailboat", "vehicle", None, synonyms=("sailing boat",)),
    Thing("rocket", "rocket", "vehicle", None, synonyms=("space rocket",)),
    Thing("dress", "dress", "clothes", "blue", synonyms=("gown",)),
    Thing("shirt", "t-shirt", "clothes", "blue", synonyms=("t-shirt",)),
    Thing("hat", "top-hat", "clothes", None, synonyms=("top hat",)),
    Thing("cap", "billed-cap", "clothes", "blue", synonyms=("baseball cap",)),
    Thing("sneaker", "running-shoe", "clothes", "blue", synonyms=("running shoe",)),
    Thing("high heel", "high-heeled-shoe", "clothes", "red", synonyms=("high-heeled shoe",)),
    Thing("boot", "womans-boot", "clothes", "brown"),
    Thing("scarf", "scarf", "clothes", "red", synonyms=("woollen scarf",)),
    Thing("backpack", "backpack", "clothes", "red", synonyms=("rucksack",)),
    Thing("crown", "crown", "clothes", "yellow"),
    Thing("umbrella", "umbrella", "clothes", "purple", synonyms=("open umbrella",)),
    Thing("handbag", "handbag", "clothes", None),
    Thing("hammer", "hammer", "tool", None),
    Thing("screwdriver", "screwdriver", "tool", "red"),
    Thing("key", "key", "tool", "yellow"),
    Thing("bucket", "bucket", "tool", "blue", synonyms=("pail",)),
    Thing("light bulb", "light-bulb", "tool", "yellow", synonyms=("lamp",)),
    Thing("house", "house", "building", None, synonyms=("home",)),
    Thing("castle", "castle", "building", None, synonyms=("fortress",)),
    Thing("church", "church", "building", None, synonyms=("chapel",)),
    Thing("tent", "tent", "building", "orange", synonyms=("camping tent",)),
    Thing("book", "closed-book", "object", "red", synonyms=("closed book",)),
    Thing("balloon", "balloon", "object", "red", synonyms=("toy balloon",)),
    Thing("guitar", "guitar", "object", "red", synonyms=("electric guitar",)),
    Thing("alarm clock", "alarm-clock", "object", None, synonyms=("clock",)),
    Thing("telephone", "telephone", "object", "red", synonyms=("phone",)),
    Thing("camera", "camera", "object", None, synonyms=("photo camera",)),
    Thing("teapot", "teapot", "object", "red", synonyms=("tea pot",)),
    Thing("chair", "chair", "object", "brown"),
    Thing("present", "wrapped-gift", "object", None, synonyms=("gift",)),
    Thing("teddy bear", "teddy-bear", "object", "brown", synonyms=("teddy",)),
    Thing("basketball", "basketball", "object", "orange"),
    Thing("heart", "red-heart", "object", "red"),
    Thing("star", "star", "object", "yellow"),
    Thing("moon", "crescent-moon", "object", "yellow", synonyms=("crescent moon",)),
    Thing("bell", "bell", "object", "yellow"),
)
COLOURED = tuple(thing for thing in THINGS if thing.colour)
BY_NOUN = {thing.noun: thing for thing in THINGS}


def plural(words: str) -> str:
    """More than one of what `words` name; only the last word changes, but for "X of Y"."""
    if words in IRREGULAR:
        return IRREGULAR[words]
    if " of " in words:
        first, rest = words.split(" of ", 1)
        return f"{plural(first)} of {rest}"
    if words.endswith(("s", "x", "ch", "sh")):
        return words + "es"
    if words.endswith("y") and words[-2] not in "aeiou":
        return words[:-1] + "ies"
    if words.endswith("leaf"):
        return words[:-1] + "ves"
    return words + "s"
