"""The natural world's judge, which lives with its world."""


def load_natural_judge():
    from naturalworld.wordings import NaturalJudge

    return NaturalJudge()
