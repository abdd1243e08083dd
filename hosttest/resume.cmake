# SPDX-License-Identifier: BSD-2-Clause
# What a boot does with an image whose newest generations cannot be resumed.
eidolon_boot_test(boot_fallback_test SOURCES boot_fallback_test.c)
