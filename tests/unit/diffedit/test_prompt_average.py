"""The mean of prompts' embeddings, on conditionings in the shapes that the host's text encoders give."""

import pytest
import torch
from time_diffedit.diffedit_core.prompts.prompt_average import average_prompts, mean_rows, prompt_lines, row_groups

WIDTH = 5


def values(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tokens(**counts: int) -> dict:
    return {name: [[(0, 1.0)] * count] for name, count in counts.items()}


def mask(*counts: int) -> torch.Tensor:
    return torch.tensor([counts])


def prompt(rows: torch.Tensor, **options) -> list:
    return [[rows, {"pooled_output": None, **options}]]


def average(*conditionings, **counts: int):
    """The entry of the mean of conditionings that have one encoder, or the given counts of tokens."""
    given = [tokens(**counts) if counts else tokens(x=entries[0][0].shape[1]) for entries in conditionings]
    (entry,) = average_prompts(conditionings, given)
    return entry


class TestLines:
    def test_are_kept_as_written_without_the_blank_ones(self):
        assert prompt_lines("\n a red rose \r\n\n  \na (big:1.2) car\r") == [" a red rose ", "a (big:1.2) car"]

    @pytest.mark.parametrize("text", ["", "\n \r\n\t"])
    def test_none_is_an_error(self, text):
        with pytest.raises(ValueError, match="^prompts is empty"):
            prompt_lines(text)


class TestRows:
    def test_of_equal_number_have_the_plain_mean(self):
        """As embed_prompts of the guide: concatenate the padded embeddings, take the mean over prompts."""
        prompts = [values(1, 7, WIDTH, seed=k) for k in range(3)]
        rows, options = average(*map(prompt, prompts))
        assert torch.allclose(rows, torch.cat(prompts).mean(dim=0, keepdim=True), atol=1e-7)
        assert rows.dtype == torch.float32 and options == {"pooled_output": None}

    def test_do_not_depend_on_the_order(self):
        prompts = [prompt(values(1, 4 + k, WIDTH, seed=k)) for k in range(5)]
        assert torch.equal(average(*prompts)[0], average(*reversed(prompts))[0])

    @pytest.mark.parametrize("number", [2, 3, 7])
    def test_of_equal_prompts_stay_exactly(self, number):
        one = prompt(values(1, 4, WIDTH))
        assert torch.equal(average(*[one] * number)[0], one[0][0])

    def test_one_prompt_is_handed_through(self):
        one = prompt(values(1, 4, WIDTH), text_input_ids=torch.tensor([1, 2]))
        assert average_prompts([one], [tokens(x=4)]) is one

    def test_of_different_number_are_averaged_over_the_prompts_that_have_them(self):
        short, long, longer = values(1, 3, WIDTH), values(1, 5, WIDTH, seed=1), values(1, 6, WIDTH, seed=2)
        rows, _ = average(prompt(short), prompt(long), prompt(longer))
        assert rows.shape == (1, 6, WIDTH)
        assert torch.allclose(rows[:, :3], (short + long[:, :3] + longer[:, :3]) / 3, atol=1e-7)
        assert torch.allclose(rows[:, 3:5], (long[:, 3:] + longer[:, 3:5]) / 2, atol=1e-7)
        assert torch.equal(rows[:, 5:], longer[:, 5:])

    def test_behind_a_growing_encoder_are_averaged_from_their_own_start(self):
        """SD3: 77 rows of CLIP a chunk, then T5's."""
        clip, clip_long = values(1, 2, WIDTH), values(1, 4, WIDTH, seed=1)
        t5, t5_long = values(1, 3, WIDTH, seed=2), values(1, 5, WIDTH, seed=3)
        given = [tokens(l=2, g=2, t5xxl=3), tokens(l=4, g=4, t5xxl=5)]
        both = [prompt(torch.cat([clip, t5], 1)), prompt(torch.cat([clip_long, t5_long], 1))]
        ((rows, _),) = average_prompts(both, given)
        assert torch.allclose(rows[:, :2], (clip + clip_long[:, :2]) / 2, atol=1e-7)
        assert torch.equal(rows[:, 2:4], clip_long[:, 2:])
        assert torch.allclose(rows[:, 4:7], (t5 + t5_long[:, :3]) / 2, atol=1e-7)
        assert torch.equal(rows[:, 7:], t5_long[:, 3:])

    def test_of_half_precision_are_summed_exactly(self):
        prompts = [prompt(torch.full((1, 1, 1), value, dtype=torch.float16)) for value in (2048.0, 1.0, 1.0, 2.0)]
        assert average(*prompts)[0].item() == 513.0 and average(*prompts)[0].dtype == torch.float16

    def test_inputs_stay(self):
        prompts = [prompt(values(1, 3, WIDTH, seed=k), attention_mask=mask(1, 1, k)) for k in range(2)]
        before = [(rows.clone(), {k: v if v is None else v.clone() for k, v in o.items()}) for ((rows, o),) in prompts]
        average(*prompts)
        for ((rows, options),), (old, old_options) in zip(prompts, before, strict=True):
            assert torch.equal(rows, old) and options.keys() == old_options.keys()
            assert torch.equal(options["attention_mask"], old_options["attention_mask"])


class TestMasks:
    def test_hidden_rows_do_not_count(self):
        a, b = values(1, 4, WIDTH), values(1, 4, WIDTH, seed=1)
        a[:, 2:] = float("nan")
        rows, options = average(prompt(a, attention_mask=mask(1, 1, 0, 0)), prompt(b, attention_mask=mask(1, 1, 1, 1)))
        assert torch.allclose(rows[:, :2], (a + b)[:, :2] / 2, atol=1e-7)
        assert torch.equal(rows[:, 2:], b[:, 2:])
        assert torch.equal(options["attention_mask"], mask(1, 1, 1, 1))

    def test_are_united_over_different_lengths(self):
        a, b = values(1, 3, WIDTH), values(1, 5, WIDTH, seed=1)
        rows, options = average(prompt(a, attention_mask=mask(1, 1, 1)), prompt(b, attention_mask=mask(1, 0, 0, 0, 0)))
        assert torch.equal(options["attention_mask"], mask(1, 1, 1, 0, 0)) and options["attention_mask"].dtype == torch.int64
        assert torch.equal(rows[:, 1:3], a[:, 1:]) and torch.equal(rows[:, 3:], b[:, 3:])

    def test_rows_that_all_hide_are_the_mean_padding(self):
        a, b = values(1, 2, WIDTH), values(1, 2, WIDTH, seed=1)
        rows, options = average(*(prompt(x, attention_mask=mask(1, 0)) for x in (a, b)))
        assert torch.allclose(rows, (a + b) / 2, atol=1e-7)
        assert torch.equal(options["attention_mask"], mask(1, 0))

    def test_left_out_means_that_every_row_counts(self):
        """The host drops the masks of Qwen-Image that hide nothing."""
        a, b = values(1, 2, WIDTH), values(1, 3, WIDTH, seed=1)
        rows, options = average(prompt(a), prompt(b, attention_mask=mask(0, 0, 1)))
        assert torch.equal(rows, torch.cat([a, b[:, 2:]], 1))
        assert torch.equal(options["attention_mask"], mask(1, 1, 1))

    def test_of_the_last_encoder_only(self):
        """SD3's encoder with a masked T5 gives a mask for T5's rows."""
        a, b = values(1, 5, WIDTH), values(1, 5, WIDTH, seed=1)
        masks = mask(1, 1, 0), mask(1, 0, 0)
        rows, options = average(*(prompt(x, attention_mask=m) for x, m in zip((a, b), masks, strict=True)), l=2, g=2, t5xxl=3)
        assert torch.equal(options["attention_mask"], mask(1, 1, 0))
        assert torch.allclose(rows[:, [0, 1, 2, 4]], (a + b)[:, [0, 1, 2, 4]] / 2, atol=1e-7)
        assert torch.equal(rows[:, 3], a[:, 3])

    def test_of_another_length_are_refused(self):
        with pytest.raises(ValueError, match="'attention_mask' for 3 rows where there are 2"):
            average(*[prompt(values(1, 2, WIDTH), attention_mask=mask(1, 1, 1))] * 2)


class TestOptions:
    def test_pooled_output_is_averaged(self):
        pooled = [values(1, 9, seed=k) for k in range(3)]
        _, options = average(*(prompt(values(1, 2, WIDTH), pooled_output=vector) for vector in pooled))
        assert torch.allclose(options["pooled_output"], torch.cat(pooled).mean(0, keepdim=True), atol=1e-7)

    def test_further_embeddings_are_averaged_with_their_masks(self):
        """HunyuanDiT: a second encoder among the options."""
        a, b = values(1, 2, 3), values(1, 3, 3, seed=1)
        first = prompt(values(1, 2, WIDTH), conditioning_mt5xl=a, attention_mask_mt5xl=mask(1, 1))
        second = prompt(values(1, 2, WIDTH, seed=1), conditioning_mt5xl=b, attention_mask_mt5xl=mask(1, 0, 0))
        _, options = average(first, second)
        assert torch.allclose(options["conditioning_mt5xl"][:, 0], (a + b[:, :2])[:, 0] / 2, atol=1e-7)
        assert torch.equal(options["conditioning_mt5xl"][:, 1], a[:, 1])
        assert torch.equal(options["attention_mask_mt5xl"], mask(1, 1, 0))
        assert options.keys() == {"pooled_output", "conditioning_mt5xl", "attention_mask_mt5xl"}

    def test_embeddings_of_all_layers_are_averaged(self):
        """HiDream: (1, layers, rows, width)."""
        a, b = values(1, 4, 2, 3), values(1, 4, 3, 3, seed=1)
        _, options = average(*(prompt(values(1, 2, WIDTH), conditioning_llama3=x) for x in (a, b)))
        assert torch.allclose(options["conditioning_llama3"][:, :, :2], (a + b[:, :, :2]) / 2, atol=1e-7)
        assert torch.equal(options["conditioning_llama3"][:, :, 2:], b[:, :, 2:])

    def test_equal_ones_stay(self):
        hooks = object()
        options = {"hooks": hooks, "num_layers_stacked": 4, "clip_start_percent": 0.5}
        _, result = average(*[prompt(values(1, 2, WIDTH), **options)] * 2)
        assert result == {"pooled_output": None, **options} and result["hooks"] is hooks

    def test_others_are_refused_by_name(self):
        ids = [prompt(values(1, 2, WIDTH), t5xxl_ids=torch.tensor([k, 1])) for k in range(2)]
        with pytest.raises(ValueError, match="another 't5xxl_ids', which is no embedding"):
            average(*ids)
        with pytest.raises(ValueError, match="'conditioning_byt5small' for some of them but not for number 2"):
            average(prompt(values(1, 2, WIDTH), conditioning_byt5small=values(1, 2, 3)), prompt(values(1, 2, WIDTH)))
        with pytest.raises(ValueError, match="'pooled_output' in different shapes"):
            average(*(prompt(values(1, 2, WIDTH), pooled_output=values(1, n)) for n in (2, 3)))
        with pytest.raises(ValueError, match="'embedding' in different shapes"):
            average(prompt(values(1, 2, 3)), prompt(values(1, 2, 4)))

    def test_entries_of_scheduled_hooks_are_averaged_one_by_one(self):
        times = [{"clip_start_percent": 0.0}, {"clip_start_percent": 0.5}]
        prompts = [[[values(1, 2, WIDTH, seed=10 * k + i), dict(time)] for i, time in enumerate(times)] for k in range(2)]
        result = average_prompts(prompts, [tokens(x=2)] * 2)
        for i, (rows, options) in enumerate(result):
            assert torch.allclose(rows, (prompts[0][i][0] + prompts[1][i][0]) / 2, atol=1e-7)
            assert options == times[i]
        with pytest.raises(ValueError, match="more entries than others"):
            average_prompts([prompts[0], prompts[1][:1]], [tokens(x=2)] * 2)


class TestGroups:
    @pytest.mark.parametrize(
        ("counts", "rows", "groups"),
        [
            ({"l": 77}, 77, (77,)),
            ({"l": 154, "g": 154}, 154, (154,)),
            ({"l": 77, "g": 77, "t5xxl": 77}, 154, (77, 77)),
            ({"l": 154, "g": 154, "t5xxl": 120}, 274, (154, 120)),
            ({"l": 77, "g": 77, "t5xxl": 77}, 77, (77,)),  # SD3 without T5, or without CLIP
            ({"l": 77, "t5xxl": 256}, 256, (256,)),  # Flux
            ({"qwen25_7b": 45}, 11, (11,)),  # a template in front is cut off
        ],
    )
    def test_of_the_hosts_encoders(self, counts, rows, groups):
        assert row_groups({**tokens(**counts), "lyrics_strength": 1.0}, rows) == groups

    def test_must_be_as_many(self):
        with pytest.raises(ValueError, match="rows of more text encoders than others"):
            mean_rows([values(1, 2, 3)] * 2, [torch.ones(2, dtype=torch.bool)] * 2, [(2,), (1, 1)])
