# The object space: everything above the disk together, with programs, snapshots and power cuts.
foreach(test crash fault)
    eidolon_host_test(space_${test}_test
        SOURCES space_${test}_test.c space_fixture.c space_model.c space_program.c space_crash.c space_disk.c
        LIBRARIES host_snap host_vm_map host_block fake_disk)
endforeach()
