# SPDX-License-Identifier: BSD-2-Clause
# The paging laboratory of bench/paging on the fake machine.
eidolon_host_test(paging_lab_test
    SOURCES paging_lab_test.c
    LIBRARIES vm_map_fixture paging_lab host_vm_map)
