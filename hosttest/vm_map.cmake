# SPDX-License-Identifier: BSD-2-Clause
# vm_map: the table, the states of a page, gathering and snapshots, and the fake MMU they are tested with.
add_library(vm_map_fixture STATIC vm_map_fixture.c)
target_link_libraries(vm_map_fixture PUBLIC host_vm_map fake_machine cmocka)

foreach(test table growth cursor hash page transition snapshot gather check pmap)
    eidolon_host_test(vm_map_${test}_test
        SOURCES vm_map_${test}_test.c
        LIBRARIES vm_map_fixture host_vm_map)
endforeach()

eidolon_host_test(vm_links_test
    SOURCES vm_links_test.c vm_map_fixture.c
    LIBRARIES host_vm_map)

eidolon_host_test(vm_presence_test
    SOURCES vm_presence_test.c
    LIBRARIES vm_map_fixture host_vm_map)

eidolon_host_test(vm_fault_test
    SOURCES vm_fault_test.c
    LIBRARIES vm_map_fixture host_vm_map)

eidolon_host_test(vm_page_out_test
    SOURCES vm_page_out_test.c
    LIBRARIES vm_map_fixture host_vm_map)

eidolon_host_test(vm_account_test
    SOURCES vm_account_test.c
    LIBRARIES vm_map_fixture host_vm_map)

eidolon_host_test(vm_policy_test
    SOURCES vm_policy_test.c
    LIBRARIES vm_map_fixture host_vm_map)

eidolon_host_test(vm_map_threads_test
    SOURCES vm_map_threads_test.c
    LIBRARIES vm_map_fixture host_vm_map
    THREADS)
