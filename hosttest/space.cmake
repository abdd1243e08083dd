# SPDX-License-Identifier: BSD-2-Clause
# The object space: everything above the disk together, with programs, snapshots and power cuts.
set(space_sources space_fixture.c space_model.c space_program.c space_life.c space_crash.c space_disk.c)
set(space_libraries host_snap host_vm_map host_block fake_disk)
eidolon_host_test(space_crash_test
    SOURCES space_crash_test.c ${space_sources}
    LIBRARIES ${space_libraries}
    TIMEOUT 10800) # a soak takes long
foreach(test borrow fault failure health promise)
    eidolon_host_test(space_${test}_test
        SOURCES space_${test}_test.c space_case.c ${space_sources}
        LIBRARIES ${space_libraries})
endforeach()

# Calls between the kernel's files that a mutation takes away.
eidolon_host_test(space_mutation_test
    SOURCES space_mutation_test.c ${space_sources}
    LIBRARIES ${space_libraries})
foreach(function vm_snapshot_must_copy pmap_stop pmap_mark_dirty pmap_clear_dirty block_flush)
    target_link_options(space_mutation_test PRIVATE -Wl,--wrap=${function})
endforeach()
