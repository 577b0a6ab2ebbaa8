# SPDX-License-Identifier: GPL-2.0-or-later
"""The installer's picture with every Slot behind a bounce buffer, two processors and memory above 4 GiB."""

import test_installer

test_installer.OPTIONS.update(smp=2, mem="4G", append="swiotlb=131072,force")
LIMIT = test_installer.LIMIT
setup, teardown = test_installer.setup, test_installer.teardown
test_identity_raw, test_identity_zrle = test_installer.test_identity_raw, test_installer.test_identity_zrle
