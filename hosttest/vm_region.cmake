# SPDX-License-Identifier: BSD-2-Clause
# vm_region: call by call, against a naive model, read back damaged, and with its work counted.
add_library(vm_region_fixture STATIC vm_region_fixture.c)
target_link_libraries(vm_region_fixture PUBLIC fake_machine cmocka)

foreach(test "" _table _model _damage)
    eidolon_host_test(vm_region${test}_test
        SOURCES vm_region${test}_test.c
        LIBRARIES vm_region_fixture host_vm_map)
endforeach()

# The same sources once more, calling back for each basic block they execute.
file(GLOB vm_region_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernel/vm_map/vm_region*.c)
add_library(host_vm_region_counted STATIC ${vm_region_sources})
target_include_directories(host_vm_region_counted PUBLIC ${CMAKE_SOURCE_DIR}/include)
target_compile_options(host_vm_region_counted PRIVATE -ffreestanding -fsanitize-coverage=trace-pc)
eidolon_host_test(vm_region_cost_test
    SOURCES vm_region_cost_test.c
    LIBRARIES vm_region_fixture host_vm_region_counted)
