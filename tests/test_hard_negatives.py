"""Copies with one attribute changed: exactly one, to something really else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from talkwalk.contrastive.hard_negatives import FARTHEST, NEAREST, alter_one
from talkwalk.contrastive.infonce_loss import info_nce
from talkwalk.schema import Kind, Schema
from tests.conftest import make_catalog

SCHEMA = Schema.from_dict(
    {
        "domain": "toys",
        "items": {
            "name": {"kind": "text"},
            "age": {"kind": "ordered", "range": [0, 10]},
            "colour": {"kind": "category", "values": ["red", "green", "blue"]},
            "parts": {"kind": "multi", "values": ["wheel", "door", "roof", "seat"]},
            "wooden": {"kind": "flag"},
        },
    }
)
FULL = {"age": 3.0, "colour": "red", "parts": ["wheel", "roof"], "wooden": True}


def blocks(schema: Schema) -> dict[str, slice]:
    start, found = 0, {}
    for a in (*schema.items.values(), *schema.users.values()):
        if a.kind is not Kind.TEXT:
            found[a.name] = slice(start, start + a.width)
            start += a.width
    return found


def changed(before: torch.Tensor, after: torch.Tensor, schema: Schema) -> list[str]:
    return [name for name, block in blocks(schema).items() if not torch.equal(before[block], after[block])]


@pytest.mark.parametrize("name", FULL)
def test_a_row_with_one_attribute_changes_in_that_one(name):
    rows = torch.from_numpy(SCHEMA.featurize(items=[{name: FULL[name]}] * 40).joined())
    altered = alter_one(rows, SCHEMA, torch.Generator().manual_seed(0))
    assert all(changed(a, b, SCHEMA) == [name] for a, b in zip(rows, altered, strict=True))


def test_every_present_attribute_is_drawn_and_presence_stays():
    rows = torch.from_numpy(SCHEMA.featurize(items=[FULL] * 400).joined())
    altered = alter_one(rows, SCHEMA, torch.Generator().manual_seed(0))
    names = [changed(a, b, SCHEMA) for a, b in zip(rows, altered, strict=True)]
    assert all(len(n) == 1 for n in names)
    for name in FULL:
        assert names.count([name]) / 400 == pytest.approx(0.25, abs=0.08)
    assert torch.equal(rows[:, -4:], altered[:, -4:])


def test_the_new_value_is_another_one_of_the_same_sort():
    where = blocks(SCHEMA)
    rows = torch.from_numpy(SCHEMA.featurize(items=[FULL] * 400).joined())
    altered = alter_one(rows, SCHEMA, torch.Generator().manual_seed(1))
    for before, after in zip(rows, altered, strict=True):
        (name,) = changed(before, after, SCHEMA)
        old, new = before[where[name]], after[where[name]]
        if name == "age":
            assert NEAREST - 1e-5 <= abs(float(new - old)) / 2 <= FARTHEST + 1e-5 and abs(float(new)) <= 1
        elif name == "wooden":
            assert float(new) == -float(old)
        else:  # one name went, one came
            assert int(((old > 0) & (new <= 0)).sum()) == int(((old <= 0) & (new > 0)).sum()) == 1


def test_a_row_with_nothing_stays_and_equal_generators_draw_alike():
    empty = torch.from_numpy(SCHEMA.featurize(items=[{}]).joined())
    assert torch.equal(alter_one(empty, SCHEMA, torch.Generator()), empty)
    rows = torch.from_numpy(make_catalog().features())
    schema = make_catalog().schema
    one, same = (alter_one(rows, schema, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, same) and not torch.equal(one, rows)


def test_the_contrast_written_out():
    pytest.importorskip("info_nce", reason="needs the extra `train`, which `make setup` installs")
    text, own, others = (
        F.normalize(torch.randn(s, generator=torch.Generator().manual_seed(i)), dim=-1)
        for i, s in enumerate([(3, 4), (3, 4), (3, 2, 4)])
    )
    expected = []
    for t, o, copies in zip(text, own, others, strict=True):
        logits = [float(t @ v) / 0.2 for v in (o, *copies)]
        expected.append(np.log(sum(np.exp(x) for x in logits)) - logits[0])
    assert float(info_nce(text, own, others, temperature=0.2)) == pytest.approx(np.mean(expected), abs=1e-5)
    shared = others[:, 0]
    expected = []
    for t, o in zip(text, own, strict=True):
        logits = [float(t @ v) / 0.2 for v in (o, *shared)]
        expected.append(np.log(sum(np.exp(x) for x in logits)) - logits[0])
    assert float(info_nce(text, own, shared, temperature=0.2)) == pytest.approx(np.mean(expected), abs=1e-5)
