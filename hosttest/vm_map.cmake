# SPDX-License-Identifier: BSD-2-Clause
# vm_map: the table, the states of a page, gathering and snapshots, and the fake MMU they are tested with.
foreach(test table growth cursor hash page transition snapshot gather check pmap)
    eidolon_host_test(vm_map_${test}_test
        SOURCES vm_map_${test}_test.c vm_map_fixture.c
        LIBRARIES host_vm_map)
endforeach()

eidolon_host_test(vm_fault_test
    SOURCES vm_fault_test.c vm_map_fixture.c
    LIBRARIES host_vm_map)

eidolon_host_test(vm_page_out_test
    SOURCES vm_page_out_test.c vm_map_fixture.c
    LIBRARIES host_vm_map)

eidolon_host_test(vm_account_test
    SOURCES vm_account_test.c vm_map_fixture.c
    LIBRARIES host_vm_map)

eidolon_host_test(vm_policy_test
    SOURCES vm_policy_test.c vm_map_fixture.c
    LIBRARIES host_vm_map)

eidolon_host_test(vm_map_threads_test
    SOURCES vm_map_threads_test.c vm_map_fixture.c
    LIBRARIES host_vm_map
    THREADS)
