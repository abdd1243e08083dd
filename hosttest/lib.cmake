# SPDX-License-Identifier: BSD-2-Clause
# lib: formatted text.
eidolon_host_test(format_test SOURCES format_test.c ${CMAKE_SOURCE_DIR}/kernel/lib/format.c)
