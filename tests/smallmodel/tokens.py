"""Words as CLIP tokens, by the host's own tokenizer."""

from functools import cache

BEGIN, END = 49406, 49407


@cache
def _tokenizer():
    from comfy.sd1_clip import SD1Tokenizer

    return SD1Tokenizer()


def token_ids(text: str) -> list[int]:
    """77 token ids: begin, words, end, padding."""
    return [token for token, _ in _tokenizer().tokenize_with_weights(text)["l"][0]]
