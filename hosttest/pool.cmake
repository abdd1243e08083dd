# SPDX-License-Identifier: BSD-2-Clause
# lib: pools of objects.
eidolon_host_test(pool_test SOURCES pool_test.c)
