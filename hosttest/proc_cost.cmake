# SPDX-License-Identifier: BSD-2-Clause
# What calls cost, counted: the kernel's modules once more, calling back for each basic block they execute.
set(counted_libraries host_life host_control)
foreach(module proc fs snap vm_map)
    get_target_property(sources host_${module} SOURCES)
    get_target_property(folder host_${module} SOURCE_DIR)
    list(TRANSFORM sources PREPEND ${folder}/)
    add_library(host_counted_${module} STATIC ${sources})
    target_include_directories(host_counted_${module} PRIVATE ${CMAKE_SOURCE_DIR}/include)
    target_compile_options(host_counted_${module} PRIVATE -ffreestanding -fsanitize-coverage=trace-pc
        -iquote ${CMAKE_SOURCE_DIR}/kernel/proc)
    list(APPEND counted_libraries host_counted_${module})
endforeach()
list(JOIN counted_libraries "," counted_group)

add_library(boot_fixture_counted STATIC host_boot.c host_devices.c host_program.c proc_case.c)
target_include_directories(boot_fixture_counted PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_options(boot_fixture_counted PUBLIC -iquote ${CMAKE_SOURCE_DIR}/kernel/proc)
target_link_libraries(boot_fixture_counted PUBLIC fake_disk cmocka
    "$<LINK_GROUP:RESCAN,${counted_group},host_block,host_lib,fake_machine>")
eidolon_host_test(proc_cost_test SOURCES proc_cost_test.c LIBRARIES boot_fixture_counted)
target_link_options(proc_cost_test PRIVATE -Wl,-T,${CMAKE_CURRENT_SOURCE_DIR}/fake/kernel_data.ld)
