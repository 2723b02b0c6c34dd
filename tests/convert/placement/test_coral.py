"""Twins for the Edge TPU: the published table, the compiler where there is one, and plain words where there is none."""

from dataclasses import replace

import pytest

from edgevid import bundle as bundles
from edgevid.cli import main
from edgevid.errors import BackendError
from tests.models import edgetpu_compiler
from tests.models.keras_models import cnn_rnn
from tests.repo.files import ROOT

pytestmark = pytest.mark.tf
APACHE = ROOT.parent / "shared" / "models" / "apache"


@pytest.fixture(scope="module")
def bundle(workshop):
    return workshop.bundle("lstm", lambda: cnn_rnn("lstm"))


@pytest.fixture
def path(tmp_path, monkeypatch):
    """An empty folder that is all of PATH but for what a shell needs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_without_the_compiler_the_bundle_stays_and_the_warning_says_where_to_get_it(bundle, path):
    from convert.placement.coral import add_twin, describe

    coral = add_twin(bundle)
    assert coral.bundle is bundle
    assert "no edgetpu_compiler on PATH" in coral.warning
    assert "https://coral.ai/docs/edgetpu/compiler/" in coral.warning
    assert coral.report["compiled"] is False
    assert describe(coral.report).endswith("not compiled")


def test_what_the_compiler_makes_becomes_the_first_parts_twin(bundle, path, tmp_path):
    from convert.placement.coral import add_twin, describe
    from edgevid.backends.litert import LiteRt

    edgetpu_compiler.install(path)
    coral = add_twin(bundle)
    assert coral.warning == ""
    encoder, head = coral.bundle.manifest.parts
    assert (encoder.edgetpu, head.edgetpu) == ("encoder_edgetpu.tflite", "")
    assert (coral.report["on_edgetpu"], coral.report["on_cpu"]) == (5, 0)
    assert describe(coral.report).endswith("compiled, 5 on the Edge TPU")
    bundles.write(coral.bundle, tmp_path / "both.edgevid")
    again = bundles.read(tmp_path / "both.edgevid")
    assert again.models[encoder.file] == bundle.models[encoder.file]
    with pytest.raises(BackendError, match="compiled for the Edge TPU and needs one, or its uncompiled twin"):
        LiteRt().load(encoder, again.models[encoder.edgetpu])


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("fails", "Internal compiler error"),
        ("copies", "no operator of encoder.tflite is mapped"),
        ("garbles", "a damaged one"),
        ("renames", "inputs or outputs are not those"),
    ],
)
def test_a_compiler_that_makes_no_twin_leaves_a_bundle_that_runs(bundle, path, monkeypatch, how, says):
    from convert.placement.coral import add_twin

    edgetpu_compiler.install(path)
    monkeypatch.setenv("EDGETPU_STANDIN", how)
    coral = add_twin(bundle)
    assert coral.bundle is bundle
    assert says in coral.warning
    assert "runs on the CPU" in coral.warning


def test_a_part_that_was_compiled_elsewhere_joins_the_bundle(bundle, path, tmp_path, capsys):
    """The compiler runs on another machine, and its result is added by hand: the warning of its absence is gone."""
    from convert.placement.coral import add_twin

    missed = add_twin(bundle)
    report = {
        "edgetpu": missed.report,
        "warnings": [f"{missed.warning}. What the compiler takes is beside", "another"],
    }
    bundles.write(replace(bundle, report=report), tmp_path / "one.edgevid")
    encoder = bundle.manifest.parts[0]
    (tmp_path / "twin.tflite").write_bytes(edgetpu_compiler.compiled(bundle.models[encoder.file]))
    assert (
        main(
            [
                "add-twin",
                str(tmp_path / "one.edgevid"),
                str(tmp_path / "twin.tflite"),
                "-o",
                str(tmp_path / "both.edgevid"),
            ]
        )
        == 0
    )
    assert "selftest both.edgevid --delegate coral" in capsys.readouterr().out
    both = bundles.read(tmp_path / "both.edgevid")
    assert both.manifest.parts[0].edgetpu == "encoder_edgetpu.tflite"
    assert both.models["encoder_edgetpu.tflite"] == (tmp_path / "twin.tflite").read_bytes()
    assert both.report["warnings"] == ["another"]
    assert main(["inspect", str(tmp_path / "both.edgevid")]) == 0


@pytest.mark.parametrize(
    ("how", "says"),
    [("itself", "no operator of encoder.tflite is mapped"), ("another", "not those of"), ("nothing", "got none at")],
)
def test_what_is_no_twin_is_refused_and_the_bundle_left_alone(bundle, tmp_path, capsys, how, says):
    bundles.write(bundle, tmp_path / "one.edgevid")
    before, data = (tmp_path / "one.edgevid").read_bytes(), bundle.models[bundle.manifest.parts[0].file]
    made = {"itself": data, "another": edgetpu_compiler.compiled(data, b"another")}.get(how)
    if made is not None:
        (tmp_path / "twin.tflite").write_bytes(made)
    assert main(["add-twin", str(tmp_path / "one.edgevid"), str(tmp_path / "twin.tflite")]) in (1, 2)
    assert says in capsys.readouterr().err
    assert (tmp_path / "one.edgevid").read_bytes() == before


def test_the_encoder_for_the_edge_tpu_keeps_to_the_table(workshop):
    """Dense weights with a scale per channel are newer than the compiler; without, every operator is in the table."""
    import numpy as np

    from convert.placement.edgetpu_table import check, mapped
    from convert.tflite_file import read_tflite

    job = workshop.job(cnn_rnn("lstm"))
    samples = [np.random.default_rng(1).random((8, *job.parts.encoder.input_shapes[0][1:])).astype(np.float32)]
    plain, ready = (
        workshop.converter.convert(job.parts.encoder, "int8", samples, edgetpu=edgetpu) for edgetpu in (False, True)
    )
    refused = [(each.operator, each.reason) for each in check(read_tflite(plain.data)) if each.reason]
    assert refused == [("FULLY_CONNECTED", "weights in the default format; an output of one dimension")]
    verdicts = check(read_tflite(ready.data))
    assert mapped(verdicts) == len(verdicts) == mapped(check(read_tflite(plain.data))) + 1


@pytest.mark.skipif(not APACHE.is_dir(), reason="the public models are not beside this checkout")
def test_googles_own_pairs_are_told_apart():
    from convert.placement.edgetpu_table import check
    from convert.tflite_file import read_tflite

    part, twin = (
        read_tflite((APACHE / f"mobilenet_v1_0.25_128_quant{end}.tflite").read_bytes()) for end in ("", "_edgetpu")
    )
    assert [each.reason for each in check(part) if each.reason] == []
    assert [(each.operator, each.reason) for each in check(twin)] == [("edgetpu-custom-op", "is not in the table")]


def tensor(*shape, dtype="int8", constant=None, scales=(0.1,)):
    from convert.tflite_file import FileTensor

    return FileTensor("x", shape, dtype, scales, (0,) * len(scales), constant)


@pytest.mark.parametrize(
    ("kind", "tensors", "options", "says"),
    [
        ("ADD", [(1, 8, 8, 3)], {}, ""),
        ("NEG", [(1, 8)], {}, "is not in the table"),
        ("ADD", [(1, 8, "float32")], {}, "works on float32"),
        ("ADD", [(1, 8, "int16")], {}, "works on int16"),
        ("CONV_2D", [(2, 8, 8, 3)], {}, "three innermost axes"),
        ("CONV_2D", [(1, 8, 8, 3)], {"dilationWFactor": 2, "dilationHFactor": 1}, "the same dilation"),
        ("MAX_POOL_2D", [(1, 8, 8, 3)], {"fusedActivationFunction": 1}, "no fused activation"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", [(1, 5, 1280)], {}, "not over many features"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", [(1, 5, 800)], {}, ""),
        ("SOFTMAX", [(1, 20000)], {}, "16,000"),
        ("PACK", [(1, 8)], {"axis": 0}, "not along the batch"),
    ],
)
def test_the_tables_limits_are_told_from_the_file(kind, tensors, options, says):
    from convert.placement.edgetpu_table import check
    from convert.tflite_file import Operator, TfliteFile

    made = tuple(
        tensor(*shape[:-1], dtype=shape[-1]) if isinstance(shape[-1], str) else tensor(*shape) for shape in tensors
    )
    operator = Operator(kind, False, 1, tuple(range(len(made))), (0,), options)
    (verdict,) = check(TfliteFile((operator,), made, (0,), (0,)))
    assert says in verdict.reason
    assert bool(verdict.reason) == bool(says)
