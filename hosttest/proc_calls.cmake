# SPDX-License-Identifier: BSD-2-Clause
# System calls at their edges, on the booted kernel.
foreach(test clone file memory signal)
    eidolon_boot_test(proc_${test}_test SOURCES proc_${test}_test.c proc_case.c)
endforeach()
target_link_options(proc_clone_test PRIVATE -Wl,--wrap=store_delete)
