"""One thread a process: the same sums in the same order everywhere, and two test processes fit two cores."""

import os

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
