# SPDX-License-Identifier: BSD-2-Clause
# Programs: parts of kernel/proc by themselves, and the whole kernel booted on the fake machine.
eidolon_host_test(elf_test SOURCES elf_test.c LIBRARIES host_proc)
eidolon_host_test(terminal_line_test SOURCES terminal_line_test.c terminal_fixture.c LIBRARIES host_proc)
eidolon_host_test(terminal_screen_test SOURCES terminal_screen_test.c terminal_fixture.c LIBRARIES host_proc)
eidolon_host_test(terminal_repaint_test SOURCES terminal_repaint_test.c terminal_fixture.c LIBRARIES host_proc)
eidolon_host_test(fpu_test SOURCES fpu_test.c ${CMAKE_SOURCE_DIR}/kernel/arch/i386/fpu.c)

# The kernel with nothing but the machine and its devices exchanged (host_boot.h).
add_library(boot_fixture STATIC host_boot.c host_devices.c host_program.c proc_case.c proc_cut.c)
target_include_directories(boot_fixture PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(boot_fixture PUBLIC fake_disk cmocka
    "$<LINK_GROUP:RESCAN,host_life,host_control,host_proc,host_fs,host_snap,host_vm_map,host_block,host_lib,fake_machine>")

# eidolon_boot_test(name SOURCES ...): a host test that boots the kernel.
function(eidolon_boot_test name)
    eidolon_host_test(${name} ${ARGN} LIBRARIES boot_fixture)
    set(script ${CMAKE_CURRENT_SOURCE_DIR}/fake/kernel_data.ld)
    target_link_options(${name} PRIVATE -Wl,-T,${script})
    set_target_properties(${name} PROPERTIES LINK_DEPENDS ${script})
endfunction()

foreach(test boot kept load memfd mqueue pipe private_view script unpack exec waiting)
    eidolon_boot_test(proc_${test}_test SOURCES proc_${test}_test.c)
endforeach()

eidolon_boot_test(proc_fs_test SOURCES proc_fs_test.c fs_check.c)
eidolon_boot_test(proc_fs_tree_test SOURCES proc_fs_tree_test.c fs_check.c)
eidolon_boot_test(proc_fs_cut_test SOURCES proc_fs_cut_test.c proc_fs_model.c fs_check.c)

set(world_sources proc_world.c proc_world_stop.c proc_world_check.c space_disk.c)
foreach(part board books calls children family files image memory pipe remap signals story)
    list(APPEND world_sources family/${part}.c)
endforeach()
function(eidolon_world_test name)
    eidolon_boot_test(${name} ${ARGN})
    foreach(function task_stop terminal_input store_open store_close program_clone program_exit)
        target_link_options(${name} PRIVATE -Wl,--wrap=${function})
    endforeach()
endfunction()
eidolon_world_test(proc_world_test SOURCES proc_world_test.c ${world_sources} TIMEOUT 10800)
