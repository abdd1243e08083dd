# SPDX-License-Identifier: BSD-2-Clause
# System calls at their edges, on the booted kernel.
foreach(test become clock clone end event file futex handler job limit lock map memory proof queue range ring share siblings signal table thread timer wait)
    eidolon_boot_test(proc_${test}_test SOURCES proc_${test}_test.c)
endforeach()
target_link_options(proc_range_test PRIVATE -Wl,--wrap=address_space_protect)
target_link_options(proc_clone_test PRIVATE -Wl,--wrap=store_delete -Wl,--wrap=vm_take_from_source)
eidolon_boot_test(proc_mayhem_test SOURCES proc_mayhem_test.c proc_mayhem.c TIMEOUT 10800)
eidolon_boot_test(proc_commit_test SOURCES proc_commit_test.c)
target_link_options(proc_commit_test PRIVATE -Wl,--wrap=atomic_broken -Wl,--wrap=program_call_end)
