"""Whether all is tested, as in CI, or what takes long, and has another like it, is left out or done less often."""

import os

IS_WHOLE = "COUNTERSIGN_TEST_WHOLE" in os.environ
