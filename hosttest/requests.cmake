# SPDX-License-Identifier: BSD-2-Clause
# The control line: its parser, and a booted kernel that is asked.
eidolon_host_test(control_line_test SOURCES control_line_test.c LIBRARIES host_control)
eidolon_boot_test(control_test SOURCES control_test.c)
