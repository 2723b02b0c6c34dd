import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevid.bundle.npy import read_npy, read_npz
from edgevid.errors import ContractError


def npy(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def npz(**arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def with_header(header, *, version=1, data=b"\0" * 64):
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(header)) + header + data


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.int16).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(3.5, ">f8"),
        np.array(b"text"),
        np.zeros((0, 3)),
    ],
    ids=["int16", "Fortran order", "big-endian number", "text", "empty"],
)
def test_what_numpy_saves_is_read(array):
    found = read_npy(npy(array))
    assert np.array_equal(found, array)
    assert found.dtype == array.dtype
    assert not found.flags.writeable


def test_the_longer_header_of_version_2_is_read():
    assert read_npy(with_header(b"{'descr': '|u1', 'fortran_order': False, 'shape': (8, 8), }\n", version=2)).shape == (
        8,
        8,
    )


@pytest.mark.parametrize("version", [0, 3, 9])
def test_another_version_is_refused(version):
    with pytest.raises(ContractError, match=r"Expected a \.npy array"):
        read_npy(with_header(b"{'descr': '|u1', 'fortran_order': False, 'shape': (64,), }\n", version=version))


@given(st.binary(max_size=200))
def test_a_header_of_any_bytes_is_refused_without_a_crash(header):
    with pytest.raises(ContractError) as caught:
        read_npy(with_header(header))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [-1, 1])
def test_the_data_must_be_as_long_as_the_header_says(cut):
    whole = npy(np.zeros((3, 4)))
    with pytest.raises(ContractError):
        read_npy(whole[:cut] if cut < 0 else whole + b"\0" * cut)


def test_a_shape_is_never_left_to_be_worked_out():
    with pytest.raises(ContractError, match="a plain shape"):
        read_npy(with_header(b"{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 8), }\n"))


def test_objects_are_never_unpickled():
    with pytest.raises(ContractError):
        read_npy(npy(np.array([{}], dtype=object), allow_pickle=True))


def test_a_header_cannot_ask_for_memory():
    huge = with_header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (40000000,), }\n")
    tracemalloc.start()
    try:
        with pytest.raises(ContractError):
            read_npy(huge)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_set_of_arrays_is_read_by_name():
    found = read_npz(npz(a=np.arange(3), b=np.zeros(2)), names=("b", "a"), max_bytes=10_000)
    assert found["a"].tolist() == [0, 1, 2]
    assert found["b"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("names", [("a",), ("a", "b", "c"), ("a", "c")])
def test_a_set_with_other_arrays_is_refused(names):
    with pytest.raises(ContractError, match=r"Expected the arrays \['a'.*got \['a', 'b'\]"):
        read_npz(npz(a=np.zeros(1), b=np.zeros(1)), names=names, max_bytes=10_000)


def test_a_set_may_unpack_to_its_limit_and_no_further():
    data, size = npz(a=np.zeros(1000)), len(npy(np.zeros(1000)))
    assert read_npz(data, names=("a",), max_bytes=size)["a"].shape == (1000,)
    with pytest.raises(ContractError, match=f"at most {size - 1} bytes unpacked, got {size}"):
        read_npz(data, names=("a",), max_bytes=size - 1)


@given(place=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_a_set_with_a_flipped_bit_is_refused_or_the_same(place, mask):
    array = np.arange(100)
    bad = bytearray(npz(a=array))
    bad[int(place * len(bad))] ^= mask
    try:
        found = read_npz(bytes(bad), names=("a",), max_bytes=10_000)
    except ContractError as error:
        assert "\n" not in str(error)
    else:
        assert np.array_equal(found["a"], array)


def test_two_arrays_at_one_place_are_refused():
    """Python 3.13 writes a warning to standard error of such an archive, and reads it."""
    good = npz(first=np.zeros(4), second=np.ones(4))
    second = zipfile.ZipFile(io.BytesIO(good)).infolist()[1].header_offset
    bad = bytearray(good)
    struct.pack_into("<I", bad, bad.index(b"PK\x01\x02") + 42, second)
    with pytest.raises(ContractError, match="arrays that do not overlap"):
        read_npz(bytes(bad), names=("first", "second"), max_bytes=1000)
