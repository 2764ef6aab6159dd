"""The container: what numpy reads, what damage does, how large files are written."""

import io
import os
import threading
import zipfile

import numpy as np
import pytest
from round_trips import KEY, nobody, write_file

from nbcache.errors import DamagedEntry
from nbcache.storage import npz, npz_layout, npz_write

ARRAYS = {
    "x": np.arange(5.0),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "text": np.array(["a", "bé"]),
    "scalar": np.array(3),
    "empty": np.empty((0, 3)),
    "fields": np.array([(1, 2.0)], dtype="i4,f8"),
    "große": np.arange(3, dtype=">i2"),
    "dates": np.array(["2020", "NaT"], "M8[D]"),
    "strided": np.arange(20)[::3],
    "zeros": np.zeros(100_000),
    "large": np.arange(400_000, dtype="f4"),
}


def assert_equal(read, written):
    assert read.dtype == written.dtype
    assert read.shape == written.shape
    assert read.tobytes() == written.tobytes()
    if written.flags.f_contiguous and not written.flags.c_contiguous:
        assert read.flags.f_contiguous


@pytest.fixture
def path(tmp_path):
    return tmp_path / "entry.npz"


# ---------------------------------------------------------------- numpy reads it


@pytest.mark.parametrize("compress", [False, True])
def test_numpy_load_reads_every_member(path, compress):
    """`numpy.load` without pickle gives each array back."""
    write_file(path, ARRAYS.items(), b'{"a": 1}', compress=compress)
    with np.load(path, allow_pickle=False) as loaded:
        assert set(loaded.files) == {*ARRAYS, "__nbcache__/manifest"}
        for name, array in ARRAYS.items():
            assert_equal(loaded[name], array)
        assert loaded["__nbcache__/manifest"].tobytes() == b'{"a": 1}'


@pytest.mark.parametrize("compress", [False, True])
def test_zip_tools_find_no_fault(path, compress):
    """CRC and sizes are right, for those who check them."""
    write_file(path, ARRAYS.items(), compress=compress)
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert len(file.comment) == npz.TRAILER_BYTES


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("mode", ["copy", "read", None])
def test_archive_reads_what_was_written(path, compress, mode):
    """Arrays come back in value, type, order; writable unless read-only was asked."""
    write_file(path, ARRAYS.items(), b'{"a": 1}', compress=compress)
    with npz.Archive.open(path) as archive:
        archive.verify()
        assert archive.manifest() == b'{"a": 1}'
        assert archive.names == tuple(ARRAYS)
        arrays = {name: archive.read(name, mode) for name in archive.names}
    for name, array in ARRAYS.items():
        assert_equal(arrays[name], array)
        assert arrays[name].flags.writeable == (mode != "read")


def test_stored_data_is_aligned_in_the_file(path):
    """Data of each member starts at a multiple of 64 bytes."""
    write_file(path, ARRAYS.items())
    data = path.read_bytes()
    for name in ("x", "strided", "dates", "text", "fields", "large"):
        assert data.index(ARRAYS[name].tobytes()) % 64 == 0, name


def test_large_members_are_mapped_and_private(path):
    """Writing to an array changes neither the file nor what is read next."""
    write_file(path, ARRAYS.items())
    before = path.read_bytes()
    with npz.Archive.open(path) as archive:
        first = archive.read("large")
        first[:] = -1
        second = archive.read("large")
        small = archive.read("x")
        small[:] = -1
        assert_equal(archive.read("x"), ARRAYS["x"])
        archive.verify()
    assert_equal(second, ARRAYS["large"])
    assert path.read_bytes() == before
    assert (first == -1).all()


def test_arrays_outlive_the_archive_and_the_file(path):
    """Closing and deleting leave what was handed out as it is."""
    write_file(path, ARRAYS.items())
    with npz.Archive.open(path) as archive:
        array = archive.read("large")
    path.unlink()
    assert_equal(array, ARRAYS["large"])


def test_live_mappings_keep_no_descriptor(path):
    """Thousands of live results do not use up the process's files."""
    write_file(path, ARRAYS.items())
    before = len(os.listdir("/proc/self/fd"))
    kept = []
    for _ in range(20):
        with npz.Archive.open(path) as archive:
            kept.append(archive.read("large"))
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(kept) == 20


def test_plain_reads_where_mapping_is_not_allowed(path):
    """On network file systems nothing is mapped, and everything still works."""
    write_file(path, ARRAYS.items())
    with npz.Archive.open(path, mappable=False) as archive:
        archive.verify()
        for name, array in ARRAYS.items():
            assert_equal(archive.read(name), array)


# ---------------------------------------------------------------- writing


def test_small_entry_is_one_write(tmp_path):
    """An entry of a few arrays costs one system call."""
    sizes = []

    class Counted(io.BytesIO):
        def write(self, data):
            sizes.append(len(data))
            return super().write(data)

    file = Counted()
    npz.write(file, [("x", np.arange(9))], b"{}", key=KEY, sign=nobody)
    assert len(sizes) == 1


def test_short_writes_go_on(path):
    """A file that takes a few bytes at a time gets them all."""

    class Short(io.BytesIO):
        def write(self, data):
            return super().write(data[: max(1, len(data) * 2 // 3)])

    file = Short()
    npz.write(file, ARRAYS.items(), b"{}", key=KEY, sign=nobody)
    path.write_bytes(file.getvalue())
    with npz.Archive.open(path) as archive:
        archive.verify()
        assert_equal(archive.read("large"), ARRAYS["large"])


def test_descriptor_and_file_give_the_same_bytes(tmp_path):
    """Where it is written does not show; equal content gives equal bytes."""
    write_file(tmp_path / "a", ARRAYS.items())
    descriptor = os.open(tmp_path / "b", os.O_WRONLY | os.O_CREAT)
    npz.write(descriptor, ARRAYS.items(), b"{}", key=KEY, sign=nobody)
    os.close(descriptor)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_error_of_the_file_reaches_the_caller_and_ends_the_thread(tmp_path):
    """A full disk is an OSError, and no thread keeps on digesting."""

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    arrays = [("x", np.zeros(1 << 20))]
    with pytest.raises(OSError, match="No space left"):
        npz.write(Full(), arrays, b"{}", key=KEY, sign=nobody)
    for thread in threading.enumerate():
        if thread.name == "nbcache":
            thread.join(10)
            assert not thread.is_alive()


def test_signature_is_asked_for_what_is_written(path):
    """`sign` gets key, length and digest, and its answer stands in the trailer."""
    asked = []

    def sign(*what):
        asked.append(what)
        return "ab" * 32

    trailer = write_file(path, [("x", np.arange(3))], sign=sign)
    assert asked == [(KEY, trailer.length, trailer.digest)]
    with npz.Archive.open(path) as archive:
        assert archive.trailer == trailer
        assert archive.trailer.mac == "ab" * 32


def test_compression_leaves_what_gains_nothing(path):
    """Random floats stay stored and mapped; zeros shrink."""
    noise = np.random.default_rng(0).random(100_000)
    write_file(path, [("noise", noise), ("zeros", ARRAYS["zeros"])], compress=True)
    with zipfile.ZipFile(path) as file:
        methods = {info.filename: info.compress_type for info in file.infolist()}
    assert methods["noise.npy"] == zipfile.ZIP_STORED
    assert methods["zeros.npy"] == zipfile.ZIP_DEFLATED


def test_objects_are_refused(tmp_path):
    """An array of objects is never written: it would be a pickle."""
    with pytest.raises(TypeError, match="Python objects"):
        write_file(tmp_path / "x", [("x", np.array([None]))])


def test_zip64_for_large_members(path, monkeypatch):
    """With the limit at 100 kB, everything 64-bit is used, and numpy still reads it."""
    monkeypatch.setattr(npz_layout, "LIMIT_32", 100_000)
    write_file(path, ARRAYS.items())
    with np.load(path) as loaded:
        for name, array in ARRAYS.items():
            assert_equal(loaded[name], array)
    with npz.Archive.open(path) as archive:
        archive.verify()
        for name, array in ARRAYS.items():
            assert_equal(archive.read(name), array)


def test_more_members_than_16_bits_count(path):
    """70,000 members need the 64-bit end record."""
    one = np.arange(1)
    write_file(path, ((f"x{i}", one) for i in range(70_000)))
    with npz.Archive.open(path) as archive:
        archive.verify()
        assert len(archive.names) == 70_000
        assert archive.read("x69999")[0] == 0
    with np.load(path) as loaded:
        assert len(loaded.files) == 70_001


@pytest.mark.slow
def test_member_of_more_than_4_gib(path):
    """Sizes and offsets beyond 32 bits, for real."""
    large = np.zeros((1 << 32) + 5, np.uint8)
    large[-1] = 7
    write_file(path, [("large", large), ("after", np.arange(3))])
    with npz.Archive.open(path) as archive:
        archive.verify()
        assert archive.read("large")[-1] == 7
        assert archive.read("after").tolist() == [0, 1, 2]
    with np.load(path) as loaded:
        assert loaded["after"].tolist() == [0, 1, 2]


def test_huge_header_of_a_structured_type(path):
    """A header longer than what is read ahead is read whole."""
    dtype = np.dtype([(f"field_{i}", "<f8") for i in range(200)])
    write_file(path, [("x", np.ones(3, dtype))])
    with npz.Archive.open(path) as archive:
        assert archive.read("x").dtype == dtype


# ---------------------------------------------------------------- damage


@pytest.fixture
def small(path):
    write_file(path, [("x", np.arange(6.0)), ("n", np.array("text"))], b'{"a": [1]}')
    return path


def opens(path):
    with npz.Archive.open(path) as archive:
        archive.verify()


def test_every_flipped_bit_is_noticed(small, tmp_path):
    """No single bit of a small entry can change without notice."""
    data = bytearray(small.read_bytes())
    damaged = tmp_path / "damaged.npz"
    for place in range(len(data)):
        for bit in range(8):
            data[place] ^= 1 << bit
            damaged.write_bytes(data)
            with pytest.raises(DamagedEntry):
                opens(damaged)
            data[place] ^= 1 << bit
    damaged.write_bytes(data)
    opens(damaged)


def test_every_truncation_is_noticed(small, tmp_path):
    """No prefix of an entry is an entry, and neither is an entry with more behind."""
    data = small.read_bytes()
    damaged = tmp_path / "damaged.npz"
    for length in range(len(data)):
        damaged.write_bytes(data[:length])
        with pytest.raises(DamagedEntry):
            opens(damaged)
    damaged.write_bytes(data + b"\n")
    with pytest.raises(DamagedEntry):
        opens(damaged)


def test_large_entry_with_a_flipped_byte_is_noticed(path):
    """The digest covers what two threads digest as well."""
    noise = np.random.default_rng(0).random(1 << 20)
    write_file(path, [("x", noise)])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    for mappable in (True, False):
        with (
            npz.Archive.open(path, mappable=mappable) as archive,
            pytest.raises(DamagedEntry, match="not those that were written"),
        ):
            archive.verify()


def reseal(data, change):
    """Change bytes before the trailer and make digest and trailer fit again."""
    from blake3 import blake3

    old = npz.Trailer.from_bytes(bytes(data[-512:]))
    body = change(bytes(data[:-512]))
    fields = {**vars(old), "length": len(body), "digest": blake3(body).hexdigest()}
    return body + npz.Trailer(**fields).to_bytes()


def replaced(old, new, count=1):
    def change(body):
        assert body.count(old) >= count
        return body.replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        # a header that claims 8 TiB, of any kind
        (replaced(b"'shape': (6,)", b"'shape': (9,)"), "not as large"),
        (replaced(b"'descr': '<f8'", b"'descr': '<f4'"), "not as large"),
        (replaced(b"'descr': '<f8'", b"'descr': '|O' "), "no plain array"),
        (replaced(b"'fortran_order': False", b"'fortran_order': f(0) "), "header"),
        (replaced(b"x.npy", b"n.npy", 2), "twice"),
        (replaced(b"x.npy", b"x.exe", 2), "directory"),
        (replaced(b"\x93NUMPY", b"\x93NUMPX"), "no.* array"),
        (replaced(b"PK\x03\x04", b"PK\x03\x05"), "not where"),
        (replaced(b"PK\x01\x02", b"PK\x01\x03"), "directory"),
    ],
)
def test_structure_is_checked_though_the_digest_fits(small, change, match):
    """Someone who can seal an entry cannot make the reader trust its inside."""
    small.write_bytes(reseal(small.read_bytes(), change))
    with npz.Archive.open(small) as archive:
        archive.verify()
        with pytest.raises(DamagedEntry, match=match):
            [archive.read(name) for name in ("x", "n")]


def central_field(offset, value, size=4):
    """Change a field of the first record of the central directory."""

    def change(body):
        place = body.index(b"PK\x01\x02") + offset
        return body[:place] + value.to_bytes(size, "little") + body[place + size :]

    return change


@pytest.mark.parametrize("offset", [20, 24, 42])
@pytest.mark.parametrize("value", [0, 1, 1 << 20, (1 << 32) - 1, (1 << 32) - 2])
def test_wrong_sizes_and_offsets_are_noticed(small, offset, value):
    """Packed size, size and offset of a member must be those of the file."""
    data = small.read_bytes()
    changed = reseal(data, central_field(offset, value))
    if changed == data:
        return
    small.write_bytes(changed)
    with npz.Archive.open(small) as archive, pytest.raises(DamagedEntry):
        archive.read("x")


def test_bomb_is_refused_before_memory_is_taken(path):
    """A member that claims more than DEFLATE can hold, or than the limit allows."""
    write_file(path, [("x", np.zeros(1 << 20))], compress=True)
    with (
        npz.Archive.open(path, limit_bytes=1 << 20) as archive,
        pytest.raises(DamagedEntry, match="claims 8388"),
    ):
        archive.read("x")
    path.write_bytes(reseal(path.read_bytes(), central_field(24, 1 << 31)))
    with (
        npz.Archive.open(path) as archive,
        pytest.raises(DamagedEntry, match="claims 2147483648"),
    ):
        archive.read("x")


def test_packed_data_of_another_size_is_noticed(path):
    """What is unpacked must be as long as the directory says, neither more nor less."""
    write_file(path, [("x", np.zeros(1 << 12))], compress=True)
    data = path.read_bytes()
    for size in (4096 * 8 + 64, 4096 * 8 + 192):
        path.write_bytes(reseal(data, central_field(24, size)))
        with npz.Archive.open(path) as archive, pytest.raises(DamagedEntry):
            archive.read("x")


def test_file_beyond_the_limit_is_refused(small):
    """The limit counts before anything is read."""
    with pytest.raises(DamagedEntry, match="more than the 100"):
        npz.Archive.open(small, limit_bytes=100)


def test_symbolic_link_is_an_os_error(small, tmp_path):
    """Links are not followed."""
    link = tmp_path / "link"
    link.symlink_to(small)
    with pytest.raises(OSError, match="symbolic"):
        npz.Archive.open(link)


@pytest.mark.parametrize("kind", ["fifo", "folder", "device", "nothing"])
def test_what_is_no_file_neither_hangs_nor_opens(tmp_path, kind):
    """FIFO, folder, device, missing file: an error at once."""
    path = tmp_path / "entry.npz"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = "/dev/zero"
    with pytest.raises(OSError, match=r"regular|No such"):
        npz.Archive.open(path)


def test_failing_open_leaves_no_descriptor(tmp_path):
    """Whatever is wrong with a file, it is closed."""
    path = tmp_path / "x"
    path.write_bytes(b"\0" * 10_000)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(DamagedEntry):
            npz.Archive.open(path)
    assert len(os.listdir("/proc/self/fd")) == before


# ---------------------------------------------------------------- the trailer


def trailer(**fields):
    numbers = {"schema": 1, "length": 9, "manifest": 1, "manifest_bytes": 2}
    texts = {"key": KEY, "digest": "0" * 64, "mac": ""}
    return npz.Trailer(**{**numbers, "directory": 5, **texts, **fields})


def test_trailer_is_512_ascii_bytes_and_comes_back():
    """The trailer is text that cannot hold a zip signature."""
    one = trailer(mac="f" * 64, length=10**18)
    data = one.to_bytes()
    assert len(data) == 512
    assert data.isascii()
    assert b"PK" not in data
    assert npz.Trailer.from_bytes(data) == one


@pytest.mark.parametrize(
    "fields",
    [{"key": "../x"}, {"key": "AB" * 16}, {"length": -1}, {"mac": "x"}, {"digest": ""}],
)
def test_trailer_refuses_fields_of_another_form(fields):
    """Nothing but digits and hexadecimal digits gets into a trailer."""
    with pytest.raises(ValueError, match="not the fields"):
        trailer(**fields).to_bytes()


@pytest.mark.parametrize("data", [b"", b"\0" * 512, trailer().to_bytes()[:-1] + b" "])
def test_what_is_no_trailer_is_refused(data):
    """Other bytes are not a trailer."""
    with pytest.raises(DamagedEntry):
        npz.Trailer.from_bytes(data)


def test_large_members_use_a_second_thread(tmp_path, monkeypatch):
    """Digest and CRC come from a thread, and are the same without one."""
    arrays = [("x", np.arange(500_000))]
    with_thread = write_file(tmp_path / "a", arrays)
    monkeypatch.setattr(npz_write, "THREAD_BYTES", 1 << 40)
    assert write_file(tmp_path / "b", arrays) == with_thread


def test_what_cannot_be_mapped_is_verified_as_it_is_read(tmp_path):
    """A line or disk that gives other bytes the second time changes no value."""
    path = tmp_path / "entry.npz"
    values = np.arange(50_000)
    write_file(path, [("x", values)])
    with npz.Archive.open(path, mappable=False) as archive:
        archive.verify()
        data = bytearray(path.read_bytes())
        data[1000] ^= 1
        with path.open("r+b") as file:
            file.write(data)
        assert (archive.read("x") == values).all()
