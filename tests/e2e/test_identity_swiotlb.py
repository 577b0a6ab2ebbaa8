# SPDX-License-Identifier: GPL-2.0-or-later
"""The identity tests with every Slot behind a bounce buffer, two processors and memory
above 4 GiB: a missing dma_sync or a 32-bit address shows as a wrong picture.
"""

import test_identity

test_identity.OPTIONS.update(smp=2, mem="4G", append="swiotlb=131072,force")
setup, teardown = test_identity.setup, test_identity.teardown
globals().update({name: test for name, test in vars(test_identity).items() if name.startswith("test_")
                  and callable(test)})
