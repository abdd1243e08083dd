# SPDX-License-Identifier: BSD-2-Clause
# The paging laboratory of bench/paging on the fake machine.
eidolon_host_test(paging_lab_test
    SOURCES paging_lab_test.c vm_map_fixture.c
    LIBRARIES paging_lab host_vm_map)
