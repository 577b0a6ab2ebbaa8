# SPDX-License-Identifier: GPL-2.0-or-later
"""The unplug tests with every Slot behind a bounce buffer, two processors and memory above 4 GiB."""

import test_unplug

test_unplug.OPTIONS.update(smp=2, mem="4G", append="swiotlb=131072,force")
setup, teardown = test_unplug.setup, test_unplug.teardown
globals().update({name: test for name, test in vars(test_unplug).items() if name.startswith("test_")
                  and callable(test)})
