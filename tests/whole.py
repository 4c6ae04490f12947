"""Whether to run everything, as CI does, or to leave out or repeat less often slow tests that resemble others."""

import os

IS_WHOLE = "COUNTERSIGN_TEST_WHOLE" in os.environ
