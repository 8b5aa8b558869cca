"""The phantom: the same everywhere and always, true to what it shows, alike at every level."""

from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np
import pytest

from napari_scalescope.errors import SlideError
from napari_scalescope.slides import Slide
from napari_scalescope.slides.phantom import CLASSES, PhantomSlide, phantom
from napari_scalescope.slides.phantom.lattice import Grid, Points, hashed
from napari_scalescope.slides.phantom.noise import Noise

ID = {c.name: c.id for c in CLASSES}
#: 4 × 3 mm with some of everything.
SMALL = {"size": (8000, 6000), "seed": 3, "mpp": 0.5}


@pytest.fixture(scope="module")
def slide() -> PhantomSlide:
    return phantom(**SMALL)


@pytest.fixture(scope="module")
def overview(slide):
    """The whole slide at 4 µm per pixel, and its truth."""
    level = slide.level_for(8.0)
    info = slide.levels[level]
    return slide.read_level(level, 0, 0, info.width, info.height), slide.truth(slide.box, 4.0)


def density(pixels):
    """Mean optical density of pixels (..., 3)."""
    return -np.log10((pixels.astype(float) + 1) / 245).mean(-1)


def place_of(slide, name, side, mpp=8.0):
    """Corner (level-0 px) of a square of ``side`` px that is full of a class, where there is."""
    from scipy import ndimage

    mask = slide.truth(slide.box, mpp) == ID[name]
    inside = ndimage.distance_transform_edt(mask)
    row, col = np.unravel_index(inside.argmax(), inside.shape)
    scale = mpp / slide.mpp
    return int((col + 0.5) * scale - side / 2), int((row + 0.5) * scale - side / 2)


# --- what it says of itself ---


def test_is_a_slide_with_levels(slide):
    assert isinstance(slide, Slide)
    assert slide.format == "phantom"
    assert slide.dimensions == (8000, 6000)
    assert slide.mpp == 0.5
    assert slide.mpp_source == "phantom parameters"
    assert slide.path is None
    assert [level.downsample for level in slide.levels] == [1, 2, 4, 8]
    assert max(slide.levels[-1].width, slide.levels[-1].height) <= 1000
    assert slide.reader.associated == ()
    assert slide.reader.properties["phantom.seed"] == 3


def test_classes_are_in_order():
    assert [c.id for c in CLASSES] == list(range(len(CLASSES)))
    assert CLASSES[0].name == "background"
    assert len({c.colour for c in CLASSES}) == len(CLASSES)
    assert all(c.description.endswith(".") for c in CLASSES)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": (0, 10)},
        {"size": (200_001, 10)},
        {"mpp": 0.05},
        {"mpp": float("nan")},
        {"stain": "pink"},
        {"scanner": "C"},
    ],
)
def test_refuses_what_it_cannot_make(wrong):
    with pytest.raises(SlideError):
        phantom(**wrong)


def test_fingerprint_tells_parameters_apart():
    prints = {
        phantom((600, 500)).fingerprint,
        phantom((600, 501)).fingerprint,
        phantom((600, 500), seed=1).fingerprint,
        phantom((600, 500), mpp=0.5).fingerprint,
        phantom((600, 500), stain="pale").fingerprint,
        phantom((600, 500), scanner="B").fingerprint,
    }
    assert len(prints) == 6
    assert phantom((600, 500)).fingerprint in prints


# --- randomness ---


def test_hash_is_even_and_without_pattern():
    ix, iy = np.meshgrid(np.arange(-300, 300), np.arange(-300, 300))
    bits = np.unpackbits(hashed(ix, iy, 7).view(np.uint8)).reshape(-1, 32)
    assert np.abs(bits.mean(0) - 0.5).max() < 0.01
    unit = hashed(ix, iy, 7) / 2**32 - 0.5
    for shift in ((1, 0), (0, 1), (1, 1), (1, -1)):
        assert abs((unit * np.roll(unit, shift, (0, 1))).mean()) < 0.002


def test_noise_is_the_same_on_grids_and_at_points():
    noise = Noise(5, 37.0, 3)
    grid = Grid(-100.0, 50.0, 1.7, 90, 70, fineness=0.0)
    x, y = (a.ravel() for a in np.broadcast_arrays(grid.x, grid.y))
    np.testing.assert_allclose(noise.on(grid).ravel(), noise.on(Points(x, y)), atol=1e-4)
    # Nodes far apart are looked up one by one.
    far = Grid(0.0, 0.0, 900.0, 50, 40, fineness=0.0)
    x, y = (a.ravel() for a in np.broadcast_arrays(far.x, far.y))
    np.testing.assert_allclose(noise.on(far).ravel(), noise.on(Points(x, y)), atol=1e-4)


def test_noise_has_unit_variance():
    values = Noise(1, 10.0, 3).on(Grid(0.0, 0.0, 1.0, 1500, 1500))
    assert abs(values.mean()) < 0.05
    assert values.std() == pytest.approx(1, abs=0.05)


# --- the same always and everywhere ---


def test_same_parameters_same_pixels(slide):
    x, y = place_of(slide, "tumour", 256)
    again = phantom(**SMALL)
    assert np.array_equal(slide.read_level(0, x, y, 256, 256), again.read_level(0, x, y, 256, 256))
    box = (x, y, 900.0, 700.0)
    assert np.array_equal(slide.truth(box, 1.0), again.truth(box, 1.0))


def test_another_seed_is_another_slide(slide, overview):
    other = phantom(**{**SMALL, "seed": 4})
    truth = other.truth(other.box, 4.0)
    assert (truth != overview[1]).mean() > 0.3


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_overlapping_reads_agree(slide, level):
    info = slide.levels[level]
    w, h = 200, 150
    rng = np.random.default_rng(level)
    places = [(int(rng.integers(0, info.width - w)), int(rng.integers(0, info.height - h)))]
    places.append((info.width - w, info.height - h))  # the last column and row
    for x, y in places:
        whole = slide.read_level(level, x, y, w, h)
        assert whole.shape == (h, w, 3)
        slide.reader.close()  # forget what was painted
        part = slide.read_level(level, x + 37, y + 21, w - 37, h - 21)
        assert np.array_equal(whole[21:, 37:], part)


@pytest.mark.parametrize("step", [0.5, 1.0, 4.0, 16.0])
def test_paint_does_not_depend_on_the_window(slide, step):
    painter = slide.reader._painter
    n = 160
    for i, j in ((1200, 1500), (2500, 1800)):
        x, y = (round(i / step) + 0.5) * step, (round(j / step) + 0.5) * step
        one = painter.light(Grid(x, y, step, n, n))
        two = painter.light(Grid(x + 50 * step, y + 30 * step, step, n, n))
        off = np.abs(one[:, 30:, 50:] - two[:, : n - 30, : n - 50]).max(0) * 255
        assert (off > 1).mean() < 0.001


def test_reading_beyond_the_edge_is_white(slide):
    w, h = slide.dimensions
    corner = slide.read_level(0, w - 10, h - 10, 30, 30)
    assert (corner[10:] == 255).all()
    assert (corner[:, 10:] == 255).all()
    assert (corner[:10, :10] < 255).any()


def test_threads_read_the_same():
    fresh, again = phantom(**SMALL), phantom(**SMALL)
    windows = [(3, 0, 0, 500, 400), (3, 300, 200, 400, 300)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda window: fresh.read_level(*window), windows))
    for window, pixels in zip(windows, together, strict=True):
        assert np.array_equal(pixels, again.read_level(*window))


# --- levels ---


@pytest.mark.parametrize("name", ["tumour", "stroma", "lymphoid", "gland", "adipose"])
def test_levels_look_like_finer_ones_averaged(slide, name):
    side = 256
    x, y = (v // 8 * 8 for v in place_of(slide, name, side))
    fine = slide.read_level(0, x, y, side, side).astype(float)
    for level, most in ((1, 4), (2, 8), (3, 12)):
        f = 2**level
        mean = fine.reshape(side // f, f, side // f, f, 3).mean((1, 3))
        coarse = slide.read_level(level, x // f, y // f, side // f, side // f).astype(float)
        assert np.abs(coarse - mean).mean() < most
        assert np.abs((coarse - mean).mean((0, 1))).max() < 6


def test_cells_fade_into_density():
    """Where cells are no longer drawn one by one, the mean colour stays."""
    slide = phantom((8192, 8192), seed=3, mpp=1.0)
    x, y = (v // 8 * 8 for v in place_of(slide, "tumour", 256))
    fine = slide.read_level(1, x // 2, y // 2, 128, 128).astype(float)
    coarse = slide.read_level(3, x // 8, y // 8, 32, 32).astype(float)
    assert np.abs(fine.mean((0, 1)) - coarse.mean((0, 1))).max() < 9
    assert coarse.std((0, 1)).max() < fine.std((0, 1)).max()


# --- truth ---


def test_every_class_occurs(overview):
    shares = np.bincount(overview[1].ravel(), minlength=len(CLASSES)) / overview[1].size
    assert (shares > 0.003).all()
    assert 0.25 < shares[0] < 0.45


def test_every_class_occurs_by_default():
    slide = phantom()
    assert slide.dimensions == (20_000, 20_000)
    assert slide.mpp == 0.25
    assert set(np.unique(slide.truth(slide.box, 8.0))) == set(ID.values())


def test_truth_has_the_size_of_a_read(slide):
    for box, mpp in (((10.3, 20.7, 333.3, 111.1), 0.7), ((0, 0, 5, 3000), 4.0)):
        assert slide.truth(box, mpp).shape == slide.read(box, mpp).shape[:2]
        assert slide.truth(box, mpp).dtype == np.uint8


def test_truth_outside_the_slide_is_background(slide):
    w, h = slide.dimensions
    assert (slide.truth((-500, -500, 490, 490), 1.0) == 0).all()
    truth = slide.truth((w - 100, h / 2, 400, 100), 1.0)
    assert (truth[:, 50:] == 0).all()


def test_truth_is_the_same_at_every_resolution(slide):
    """Coarse pixels have the class of their centre, which a fine raster knows as well."""
    box = (2400.0, 1800.0, 1280.0, 960.0)
    fine = slide.truth(box, 0.5)
    for k in (4, 16, 32):
        centres = fine[k // 2 :: k, k // 2 :: k]
        coarse = slide.truth(box, 0.5 * k)
        # The fine raster has no sample at the very centre, hence the nearest.
        assert (coarse == centres).mean() > 0.97


def test_pixels_show_their_class(overview):
    pixels, truth = overview
    od = {c.name: density(pixels[truth == c.id]).mean() for c in CLASSES}
    assert od["lymphoid"] > od["stroma"] > od["adipose"] > od["background"] >= 0
    assert od["tumour"] > od["stroma"] > od["mucin"] > od["background"]
    assert od["fold"] > od["stroma"]
    assert od["background"] < 0.02
    colour = {c.name: pixels[truth == c.id].mean(0) for c in CLASSES}
    # Eosin passes red, mucus and ink do not.
    r, g, b = colour["stroma"]
    assert r > b > g
    r, g, b = colour["mucin"]
    assert b > r
    r, g, b = colour["pen"]
    assert max(g, b) > r + 30
    assert np.argmax(colour["necrosis"]) == 0


def test_nuclei_are_dense_where_they_should_be(slide):
    def dark(name):
        x, y = place_of(slide, name, 200)
        pixels = slide.read_level(0, x, y, 200, 200)
        return (density(pixels) > 0.42).mean()

    assert dark("lymphoid") > 0.3
    assert dark("lymphoid") > 3 * dark("stroma")
    assert dark("stroma") > dark("adipose")


def test_stain_and_scanner_change_colours_and_never_the_truth(slide):
    x, y = place_of(slide, "tumour", 200)
    looks = {}
    for stain, scanner in (
        ("standard", "A"),
        ("standard", "B"),
        ("pale", "A"),
        ("blue-shift", "A"),
    ):
        other = phantom(**SMALL, stain=stain, scanner=scanner)
        looks[stain, scanner] = other.read_level(0, x, y, 200, 200).astype(float)
        box = (x - 500, y - 500, 1200, 1200)
        assert np.array_equal(other.truth(box, 2.0), slide.truth(box, 2.0))
    means = [pixels.mean((0, 1)) for pixels in looks.values()]
    for i in range(len(means)):
        for j in range(i):
            assert np.abs(means[i] - means[j]).max() > 4
    assert density(looks["pale", "A"]).mean() < density(looks["standard", "A"]).mean()


def test_regions_are_the_truth(slide, overview):
    from skimage.draw import polygon2mask

    truth = overview[1]
    regions = slide.truth_regions(mpp=4.0)
    assert set(regions.labels) == {c.name for c in CLASSES} - {"background"}
    scale = 8.0
    for tissue in CLASSES[1:]:
        found = np.zeros(truth.shape, bool)
        for region in regions.of(tissue.name):
            assert region.geometry.is_valid
            assert region.colour == tissue.colour
            assert region.area_mm2(0.5) > 0.004
            rings = [region.geometry.exterior, *region.geometry.interiors]
            # Even–odd: holes are cut out again.
            for ring in rings:
                found ^= polygon2mask(truth.shape, np.array(ring.coords)[:, ::-1] / scale - 0.5)
        want = truth == tissue.id
        # Pieces below the least area are left out of the polygons.
        assert (found & want).sum() / found.sum() > 0.97
        if tissue.name not in ("gland", "stroma", "mucin"):
            assert (found & want).sum() / (found | want).sum() > 0.85


# --- size ---


def test_any_resolution_works():
    for mpp in (0.1, 0.37, 2.0):
        slide = phantom((900, 700), seed=2, mpp=mpp)
        assert slide.read_level(0, 400, 300, 90, 80).std() > 0
        assert 0.3 < (slide.truth(slide.box, mpp * 10) > 0).mean() < 0.9


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (513, 40)])
def test_tiny_slides_work(size):
    slide = phantom(size)
    assert slide.read_level(0, 0, 0, *size).shape == (size[1], size[0], 3)
    assert slide.truth(slide.box, 0.25).shape == (size[1], size[0])


def test_the_largest_slide_opens_at_once():
    start = perf_counter()
    slide = phantom((200_000, 200_000), seed=1)
    assert perf_counter() - start < 1.0
    assert slide.read_level(0, 199_990, 199_990, 10, 10).shape == (10, 10, 3)
    top = len(slide.levels) - 1
    info = slide.levels[top]
    assert max(info.width, info.height) <= 1000
    # Tissue of the expected extent, tissue classes in the middle.
    middle = (90_000, 90_000, 20_000, 20_000)
    assert len(np.unique(slide.truth(middle, 40.0))) > 4
    assert slide.read_level(top, info.width // 2, info.height // 2, 50, 50).std() > 5


def test_structures_have_their_size_in_micrometres():
    """The same place of the glass at two resolutions."""
    fine, coarse = phantom((8000, 6000), 3, 0.5), phantom((4000, 3000), 3, 1.0)
    assert (fine.truth(fine.box, 8.0) == coarse.truth(coarse.box, 8.0)).mean() > 0.99
