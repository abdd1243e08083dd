# SPDX-License-Identifier: BSD-2-Clause
# The object space: everything above the disk together, with programs, snapshots and power cuts.
add_library(space_fixture STATIC
    space_fixture.c space_model.c space_program.c space_life.c space_crash.c space_disk.c space_case.c)
target_link_libraries(space_fixture PUBLIC host_snap host_vm_map host_block fake_disk cmocka)
set(space_libraries space_fixture host_snap host_vm_map host_block fake_disk)
eidolon_host_test(space_crash_test
    SOURCES space_crash_test.c
    LIBRARIES ${space_libraries}
    TIMEOUT 10800) # a soak takes long
foreach(test borrow fault failure health promise view)
    eidolon_host_test(space_${test}_test
        SOURCES space_${test}_test.c
        LIBRARIES ${space_libraries})
endforeach()

# Calls between the kernel's files that a mutation takes away.
eidolon_host_test(space_mutation_test
    SOURCES space_mutation_test.c
    LIBRARIES ${space_libraries})
foreach(function vm_snapshot_must_copy pmap_stop pmap_mark_dirty pmap_clear_dirty block_flush)
    target_link_options(space_mutation_test PRIVATE -Wl,--wrap=${function})
endforeach()
