"""What holds for every test: property tests search the same examples each time and are never judged by the clock."""

from hypothesis import settings

from convert.frameworks.tensorflow_setup import use_onednn

# As `import_tensorflow` does, which some tests leave out.
use_onednn()

settings.register_profile("edgevid", derandomize=True, deadline=None, max_examples=100, database=None)
settings.load_profile("edgevid")

pytest_plugins = ["tests.models.conversions", "tests.keypoint_files"]
