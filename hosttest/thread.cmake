# SPDX-License-Identifier: BSD-2-Clause
# thread: what of it is portable.
eidolon_host_test(atomic_test SOURCES atomic_test.c)
