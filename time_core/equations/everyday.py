"""About a thousand captions of everyday things, for a prior: written by a small grammar over common words.

They stand for what people ask of a text-to-image model when they do not ask for the edit: people, animals, food, things,
places, in photographs and in drawings. They are this pack's own and the same everywhere.
"""

from collections.abc import Collection

WORDS = """
person: woman, man, girl, boy, child, baby, grandmother, grandfather, couple, family, friend, neighbour, student, teacher,
  doctor, farmer, cook, baker, dancer, singer, painter, musician, runner, swimmer, cyclist, tourist, fisherman, gardener,
  shopkeeper, waiter
animal: dog, cat, horse, cow, sheep, goat, pig, chicken, duck, goose, rabbit, mouse, squirrel, fox, wolf, bear, deer, lion,
  tiger, elephant, monkey, giraffe, zebra, camel, owl, eagle, parrot, penguin, frog, turtle, fish, dolphin, whale,
  butterfly, bee
thing: chair, table, lamp, clock, mirror, bed, sofa, shelf, vase, bottle, cup, bowl, plate, knife, spoon, kettle, candle,
  basket, umbrella, bag, hat, coat, shoe, scarf, watch, camera, telephone, computer, book, newspaper, letter, pencil,
  guitar, piano, drum, violin, ball, kite, bicycle, motorcycle, car, bus, train, truck, boat, ship, aeroplane, tent, ladder,
  hammer, bucket, broom, key, coin, box
food: bread, cheese, butter, rice, pasta, soup, salad, pizza, sandwiches, eggs, apples, oranges, lemons, grapes, cherries,
  pears, carrots, potatoes, onions, tomatoes, mushrooms, beans, cake, chocolate, ice cream, cookies, coffee, tea, milk,
  honey
place: in a garden, in a forest, on a beach, in the mountains, by a lake, on a river bank, in a desert, in a meadow, on a
  farm, in a village, on a city street, in a park, at a market, at a railway station, in a harbour, on a bridge, in a
  kitchen, in a living room, in a bedroom, in an office, in a classroom, in a library, in a museum, in a church, in a
  restaurant, on a balcony, in a workshop, under a tree, in a field of wheat, on a snowy hill
building: house, cottage, castle, tower, church, temple, bridge, lighthouse, windmill, barn, skyscraper, palace, hotel,
  school, hospital, theatre, stadium, factory, shop, wooden hut
landscape: mountain range, waterfall, volcano, valley, canyon, island, glacier, pine forest, river, coast, desert, rice
  field, cliff, swamp, country road, starry sky, thunderstorm, rainbow, frozen lake, city skyline
look: small, large, old, new, young, wooden, golden, silver, green, blue, yellow, white, black, brown, grey, pink, bright,
  dark, round, broken, beautiful, simple, colourful, dusty, shiny, tall
action: sleeping, running, walking, jumping, sitting on the ground, standing still, eating, drinking, playing, looking at
  the camera, waiting in the rain, resting in the shade, crossing the road, climbing a hill, swimming, listening to music
time: at sunrise, at noon, at sunset, at night, in spring, in summer, in autumn, in winter, in the fog, after the rain
medium: photo, photograph, painting, drawing, sketch, watercolour, oil painting, poster, sculpture, close-up, black and
  white photo, cartoon, 3d render, postcard, portrait, illustration
"""
LISTS: dict[str, list[str]] = {
    name: [word.strip() for word in words.split(",")]
    for name, _, words in (line.partition(":") for line in WORDS.replace("\n  ", " ").strip().splitlines())
}
# "a" before a word becomes "an" where that begins with a vowel. A list that stands twice gives two different words.
SENTENCES = (
    "a {person} {place}",
    "a {medium} of a {animal}",
    "a {look} {thing}",
    "{food} and {food} on a plate",
    "a {animal} {action} {place}",
    "a {medium} of a {landscape} {time}",
    "a {person} with a {thing}",
    "a {building} {time}",
    "a {look} {animal}",
    "a {medium} of a {person} {action}",
    "two {animal}s {place}",
    "a {thing} and a {thing} on a table",
    "a bowl of {food}",
    "a {look} {building} {place}",
    "a {medium} of a {look} {thing} {place}",
    "a {person} and a {animal} {time}",
    "a {landscape} {time}",
    "a {person} buying {food}",
    "{food} {place}",
    "a {medium} of a {building}",
)
IRREGULAR = {
    "sheeps": "sheep",
    "gooses": "geese",
    "mouses": "mice",
    "wolfs": "wolves",
    "deers": "deer",
    "fishs": "fish",
    "foxs": "foxes",
    "butterflys": "butterflies",
}
STRIDES = (1, 7, 3, 11)  # for the first, second ... blank of a sentence, so that words meet others each time


def captions(count: int = 1000, without: Collection[str] = ()) -> tuple[str, ...]:
    """`count` different captions, the sentences in turn; those with one of the words `without` are left out."""
    banned = {word.lower() for word in without}
    found: dict[str, None] = {}
    number = 0
    while len(found) < count:
        caption = _caption(number)
        number += 1
        if not banned & set(caption.replace(",", "").split()):
            found[caption] = None
        if number > 100 * count:
            raise ValueError(
                f"Of the everyday captions fewer than {count} are without these {len(banned)} words; leave fewer out."
            )
    return tuple(found)


def _caption(number: int) -> str:
    """The caption of this number: its sentence, with every blank filled from its list."""
    turn, which = divmod(number, len(SENTENCES))
    words: list[str] = []
    for blank, word in enumerate(SENTENCES[which].split()):
        words.append(_filled(word, turn, 13 * which + 5 * blank, STRIDES[blank % len(STRIDES)]))
    text = " ".join(words).split()
    return " ".join(_article(word, after) for word, after in zip(text, [*text[1:], ""], strict=True))


def _filled(word: str, turn: int, offset: int, stride: int) -> str:
    if not word.startswith("{"):
        return word
    name, _, ending = word[1:].partition("}")
    choices = LISTS[name]
    # Once through the list, then a step further, so that lists of equal lengths do not stay in step.
    chosen = choices[(offset + turn * stride + turn // len(choices)) % len(choices)]
    return IRREGULAR.get(chosen + ending, chosen + ending)


def _article(word: str, after: str) -> str:
    return "an" if word == "a" and after[:1] in tuple("aeiou") else word
