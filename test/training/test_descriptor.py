# SPDX-FileCopyrightText: 2026 hybrid_features_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""The descriptor's training, on photographs made here: its pairs, its loss, that it resumes."""

import os
import subprocess
import sys
from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="torch is not installed: pip install 'hybrid_features_ros[train]'"
)

from hybrid_features_ros.benchmarks.homography import transfer
from hybrid_features_ros.core.errors import InputError
from hybrid_features_ros.features.onnx import OnnxNetwork
from hybrid_features_ros.features.residue import ResidueNetwork
from hybrid_features_ros.features.strek import StrekDetector
from hybrid_features_ros.training.correspondences import Correspondences, corresponding, describable, gather
from hybrid_features_ros.training.descriptor import (
    LOSSES,
    TEMPERATURE,
    DescriptorTraining,
    begun,
    dual_softmax,
    hardest_triplet,
    train_descriptor,
)
from hybrid_features_ros.training.export import export, load, weights_of
from hybrid_features_ros.training.fusion import FusionConfig, HybridDescriptor, handcrafted
from hybrid_features_ros.training.pairs import Photographs, local_scale, local_turn, make_pair
from hybrid_features_ros.training.rendered import RenderedViews
from hybrid_features_ros.training.run import Run
from hybrid_features_ros.training.scenes import photographed

pytestmark = pytest.mark.slow

SIDE = 240  # of a rendered view [px]
SMALL = DescriptorTraining(warps=3, scenes=0, steps=4, pairs=2, each=8, validate_every=2)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.normal(0, 1, (500, 700)).astype(np.float32), (0, 0), 2)
    cv2.imwrite(str(folder / "0.png"), np.clip(128 + 300 * noise, 0, 255).astype(np.uint8))
    return folder


def weights(folder):
    return torch.load(folder / "last.pt", weights_only=True)["model"]


def test_corresponding_keypoints_show_the_same_place(photos):
    rng = np.random.default_rng(1)
    pair = make_pair(Photographs.under(photos).draw(rng), 320, rng)
    detector = StrekDetector()
    (a, of_a), (b, of_b) = (describable(detector, image, (0, 3)) for image in (pair.a, pair.b))
    i, j = corresponding(a, b, pair)
    assert len(i) > 40 and len(set(i)) == len(i) and len(set(j)) == len(j)
    here = a.points[i].astype(float)
    off = np.linalg.norm(transfer(pair.H_b_a, here) - b.points[j], axis=1)
    assert np.median(off) < 1 and off.max() < 20
    zoom = local_scale(pair.H_b_a, here) * a.scales[i] / b.scales[j]
    assert np.abs(np.log(zoom)).max() < np.log(1.7)
    turn = a.angles[i] + local_turn(pair.H_b_a, here) - b.angles[j]
    assert np.degrees(np.median(np.abs((turn + np.pi) % (2 * np.pi) - np.pi))) < 5
    for kind in range(2):  # the patch, and the wider one
        both = zip(of_a[i, kind], of_b[j, kind], strict=True)
        assert np.median([np.corrcoef(p.ravel(), q.ravel())[0, 1] for p, q in both]) > 0.9


@pytest.fixture(scope="module")
def scene(photos):
    """Pairs of views of a rendered yard."""
    views = RenderedViews.render(Photographs.under(photos), 1, SIDE, 2)
    return [views.between(0, b) for b in range(1, 5)]


def test_places_of_a_scene_are_the_same_surface_seen_from_both_sides(scene):
    for pair in scene:
        grid = np.stack([axis.ravel() for axis in np.mgrid[8:SIDE:12, 8:SIDE:12]], axis=1).astype(float)
        there = pair.transfer(grid)
        seen = np.isfinite(there[:, 0])
        if seen.sum() < 20:
            continue
        back = replace(
            pair, depth_a=pair.depth_b, depth_b=pair.depth_a, camera_a=pair.camera_b,
            camera_b=pair.camera_a, T_b_a=np.linalg.inv(pair.T_b_a),
        ).transfer(there[seen])  # fmt: skip
        off = np.linalg.norm(back - grid[seen], axis=1)
        assert np.nanmedian(off) < 0.5  # by the depth of the nearest pixel
        assert np.isfinite(off).mean() > 0.8


def test_a_hidden_place_has_no_partner(scene):
    pair = scene[0]
    wall = replace(pair, depth_b=np.full_like(pair.depth_b, 0.1))  # a wall in front of the second camera
    grid = np.stack([axis.ravel() for axis in np.mgrid[8:SIDE:12, 8:SIDE:12]], axis=1).astype(float)
    assert np.isnan(wall.transfer(grid)).all()


def test_a_light_of_its_own_changes_an_image_and_keeps_its_shape():
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    rng = np.random.default_rng(1)
    plain, lit = (photographed(image, light, rng) for light in (False, True))
    assert plain.shape == lit.shape == (60, 80) and plain.dtype == lit.dtype == np.uint8
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).ravel()
    assert np.corrcoef(plain.ravel(), gray)[0, 1] > 0.95 > np.corrcoef(lit.ravel(), gray)[0, 1]


def test_what_papers_the_test_scenes_is_not_trained_on(tmp_path):
    for name in ("usr__data__astronaut.jpg", "graf1.png", "mine.jpg"):
        (tmp_path / name).touch()
    assert [p.name for p in Photographs.under(tmp_path).paths] == ["mine.jpg"]


def test_a_pool_is_made_once_and_only_for_what_made_it(photos, tmp_path):
    file = tmp_path / "pool.npz"
    pool = gather(Photographs.under(photos), 2, 1, (0, 3), 0, file)
    made = file.stat().st_mtime_ns
    again = gather(Photographs.under(photos), 2, 1, (0, 3), 0, file)
    assert file.stat().st_mtime_ns == made and np.array_equal(pool.patches, again.patches)
    assert len(pool.starts) == 2 * 2 + 10 + 1 and pool.starts[-1] == len(pool.patches) == len(pool.points)
    assert pool.pairs.max() >= 4  # of both kinds
    for (a, b), first, last in zip(pool.pairs, pool.pair_starts, pool.pair_starts[1:], strict=False):
        for view, rows in zip((a, b), pool.places[first:last].T, strict=True):
            assert (pool.starts[view] <= rows).all() and (rows < pool.starts[view + 1]).all()
    with pytest.raises(InputError, match="holds 2 warps, 1 scenes"):
        gather(Photographs.under(photos), 3, 1, (0, 3), 0, file)


def test_a_batch_takes_many_places_of_few_pairs_and_what_is_alone_in_them():
    starts = 30 * np.arange(21)  # 20 views of 30 keypoints, and two of them are a pair that shares 10
    pairs = np.arange(20).reshape(10, 2)
    places = np.stack([np.arange(10) + starts[view] for view in range(20)]).reshape(10, 2, 10)
    pool = Correspondences(
        np.zeros((600, 1, 1, 1), np.float16), np.zeros((600, 2), np.float32), starts, pairs,
        places.transpose(0, 2, 1).reshape(-1, 2), 10 * np.arange(11),
    )  # fmt: skip
    batch = pool.batch(3, 5, np.random.default_rng(0))
    assert len(batch) == 3 and len({two.places[0, 0] // 60 for two in batch}) == 3
    for two in batch:
        view = two.places[0, 0] // 30
        assert two.places.shape == (5, 2) and (two.places // 30 == [view, view + 1]).all()
        assert (two.places[:, 0] + 30 == two.places[:, 1]).all() and (two.places[:, 0] % 30 < 10).all()
        for side, alone in enumerate((two.alone_a, two.alone_b)):
            assert len(set(alone)) == 20 and (alone // 30 == view + side).all() and (alone % 30 >= 10).all()


def test_the_loss_of_triplets_is_that_of_its_formula():
    a = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    b = torch.tensor([[0.8, 0.6], [0.0, 1.0]])
    positive = np.array([np.sqrt(0.4), 0.0])
    hardest = np.array([np.sqrt(2 - 1.2), np.sqrt(2 - 1.2)])  # a_1 to b_0 is nearer than a_0 to b_1
    expected = np.maximum(1 + positive - hardest, 0).mean()
    found = hardest_triplet(a, b, torch.eye(2, dtype=torch.bool))
    assert float(found) == pytest.approx(expected, abs=2e-3)
    assert float(hardest_triplet(a, b, torch.ones(2, 2, dtype=torch.bool))) == 0  # no negatives left


def test_the_softmax_loss_is_that_of_its_formula():
    a = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    b = torch.tensor([[0.8, 0.6], [0.0, 1.0]])
    s = (a @ b.T).numpy() / TEMPERATURE
    forth = [np.log(np.exp(s[i]).sum()) - s[i, i] for i in range(2)]
    back = [np.log(np.exp(s[:, i]).sum()) - s[i, i] for i in range(2)]
    assert float(dual_softmax(a, b, 2)) == pytest.approx(np.mean(forth + back), rel=1e-5)
    assert float(dual_softmax(a[:2], b, 2)) < float(dual_softmax(a, b, 2))  # one more to be confused with


def test_a_training_begins_with_the_checkpoint_that_it_is_given(tmp_path):
    torch.manual_seed(1)
    model = HybridDescriptor(SMALL.descriptor)
    torch.save({"config": asdict(SMALL), "model": model.state_dict()}, tmp_path / "first.pt")
    start = str(tmp_path / "first.pt")
    begin = begun(replace(SMALL, start=start)).state_dict()
    assert all(torch.equal(begin[k], v) for k, v in model.state_dict().items())
    with pytest.raises(InputError, match="of this shape"):
        begun(replace(SMALL, start=start, descriptor=FusionConfig(dimension=32)))


@pytest.mark.parametrize("residue", ["trained", "frozen", "none"])
@pytest.mark.parametrize("half", ["rootsift", "surf", "none"])
def test_every_shape_gives_unit_descriptors(half, residue):
    config = FusionConfig(half, residue, dimension=32)
    if half == residue == "none":
        with pytest.raises(InputError, match="at least one half"):
            HybridDescriptor(config)
        return
    patches = np.random.default_rng(0).random((6, 2, 20, 20), dtype=np.float32)
    model = HybridDescriptor(config).eval()
    found = model(torch.from_numpy(patches), torch.from_numpy(handcrafted(config, patches)))
    assert found.shape == (6, 32)
    assert torch.allclose(found.norm(dim=1), torch.ones(6), atol=1e-5)
    learns = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert ("cnn" in learns) == (residue == "trained") and ("mlp" in learns) == (half != "none")


def test_light_does_not_matter():
    patches = np.random.default_rng(0).random((4, 2, 20, 20), dtype=np.float32)
    model = HybridDescriptor(FusionConfig()).eval()
    first, second = (
        model(torch.from_numpy(p), torch.from_numpy(handcrafted(model.config, p)))
        for p in (patches, 0.5 * patches + 0.2)
    )
    assert torch.allclose(first, second, atol=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_resumes_to_the_bit(photos, tmp_path, monkeypatch, loss):
    whole, cut, pool = tmp_path / "whole", tmp_path / "cut", tmp_path / "pool.npz"
    config = replace(SMALL, loss=loss)
    train_descriptor(config, photos, photos, whole, pool)

    class Cut(Exception):
        pass

    def stop(run, score):
        keep(run, score)
        if run.step == 2:
            raise Cut

    keep = Run.keep
    monkeypatch.setattr(Run, "keep", stop)
    with pytest.raises(Cut):
        train_descriptor(config, photos, photos, cut, pool)
    monkeypatch.undo()
    train_descriptor(config, photos, photos, cut, pool, resume=True)
    a, b = weights(whole), weights(cut)
    assert all(torch.equal(a[k], b[k]) for k in a)
    frozen = HybridDescriptor(SMALL.descriptor).state_dict()
    assert not torch.equal(a["mlp.0.weight"], frozen["mlp.0.weight"])


@pytest.mark.parametrize("context", [0, 3])
def test_export_equals_pytorch(tmp_path, context):
    torch.manual_seed(2)
    model = HybridDescriptor(FusionConfig(context=context))
    for norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        torch.nn.init.uniform_(norm.running_mean, -0.2, 0.2)  # as after a training
    config = asdict(replace(SMALL, descriptor=model.config))
    torch.save({"config": config, "model": model.state_dict()}, tmp_path / "best.pt")
    assert export(tmp_path / "best.pt", tmp_path / "out.onnx") < 1e-3
    patches = np.random.default_rng(0).random((7, 2, 20, 20), dtype=np.float32)[:, : 2 if context else 1]
    given = [patches, handcrafted(model.config, patches)]
    found = OnnxNetwork((tmp_path / "out.onnx").read_bytes(), 1, blocked=True)(*given)[0]
    with torch.no_grad():
        expected = load(tmp_path / "best.pt")(*(torch.from_numpy(g) for g in given)).numpy()
    assert np.allclose(found, expected, atol=1e-4)
    network = ResidueNetwork(weights_of(tmp_path / "best.pt"))
    by_kind = list(np.ascontiguousarray(patches.transpose(1, 0, 2, 3)))
    assert np.allclose(network(by_kind, given[1]), expected, atol=1e-4)
    torch.save({"config": {}, "model": {}}, tmp_path / "other.pt")
    with pytest.raises(InputError, match="something else"):
        load(tmp_path / "other.pt")


PROCESS = """
import sys
from pathlib import Path
import torch
from hybrid_features_ros.training.descriptor import DescriptorTraining, train_descriptor
photos, out = Path(sys.argv[1]), Path(sys.argv[2])
config = DescriptorTraining(warps=3, scenes=0, steps=2, pairs=2, each=8, validate_every=9)
train_descriptor(config, photos, photos, out, out / "pool.npz")
"""


def test_two_processes_are_one_training_with_twice_the_pairs(photos, tmp_path):
    """Under torchrun gradients are averaged: the result differs from one process's and repeats itself."""
    (tmp_path / "train.py").write_text(PROCESS)
    for name, processes in (("one", 1), ("two", 2), ("again", 2)):
        subprocess.run(
            [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}",
             str(tmp_path / "train.py"), str(photos), str(tmp_path / name)],
            check=True, timeout=300, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    one, two, again = (weights(tmp_path / name) for name in ("one", "two", "again"))
    learnt = [k for k in one if k.endswith("weight")]
    assert not all(torch.equal(one[k], two[k]) for k in learnt)
    assert all(torch.equal(two[k], again[k]) for k in learnt)


def test_the_command_line_changes_what_it_names_and_nothing_else(photos, tmp_path):
    """Defaults live in the training's configuration; resuming with the same options finds the same one."""
    from hybrid_features_ros.cli.main import main

    out = tmp_path / "run"
    given = ["train", "descriptor", "--data", str(photos), "--val", str(photos), "--out", str(out)]
    (out).mkdir()
    config = replace(DescriptorTraining(), steps=1, descriptor=FusionConfig(dimension=32))
    model = HybridDescriptor(config.descriptor)
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate)
    run = Run(out, config, model, optimiser, resume=False)
    run.step = 1
    run.keep(0.0)
    pool = tmp_path / "pool.npz"
    gather(Photographs.under(photos), 1, 0, config.descriptor.coarser, config.seed, pool)
    with np.load(pool) as made:
        arrays = dict(made)
    of = f"{config.warps} warps, {config.scenes} scenes, levels {list(config.descriptor.coarser)}"
    arrays["made_of"] = np.array(f"{of}, seed {config.seed}, 1 photographs")
    np.savez(pool, **arrays)
    options = ["--pool", str(pool), "--resume", "--steps", "1"]
    main([*given, *options, "--dimension", "32"])
    with pytest.raises(SystemExit, match="another descriptor"):
        main([*given, *options])
