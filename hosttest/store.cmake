# SPDX-License-Identifier: BSD-2-Clause
# The store: the faulty disk, and the store on it.
add_library(fake_disk STATIC fake/disk.c fake/disk_mutate.c)
target_include_directories(fake_disk PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(fake_disk PUBLIC host_block fake_machine)

# What the tests of the store share.
add_library(store_fixture STATIC store_fixture.c store_crash.c)
target_include_directories(store_fixture PUBLIC ${CMAKE_SOURCE_DIR}/kernel/snap)
target_link_libraries(store_fixture PUBLIC host_snap fake_disk cmocka)

foreach(test layer key ladder model fault lie lists flush beside limit branch overlay note cost crash mutation reuse)
    eidolon_host_test(store_${test}_test
        SOURCES store_${test}_test.c
        LIBRARIES store_fixture host_snap fake_disk)
endforeach()
set_tests_properties(store_crash_test PROPERTIES TIMEOUT 10800) # a soak takes long
target_link_options(store_key_test PRIVATE -Wl,--wrap=store_record_append_page)
target_link_options(store_lists_test PRIVATE -Wl,--wrap=store_record_append -Wl,--wrap=store_record_finish)
target_link_options(store_reuse_test PRIVATE -Wl,--wrap=store_record_append -Wl,--wrap=store_space_drop)

eidolon_host_test(store_golden_test
    SOURCES store_golden_test.c
    LIBRARIES store_fixture host_snap fake_disk
    ARGUMENTS ${CMAKE_CURRENT_SOURCE_DIR}/golden/format-2.txt
              ${CMAKE_CURRENT_SOURCE_DIR}/golden/format-2-ladder.txt
              ${CMAKE_CURRENT_SOURCE_DIR}/golden/format-1.txt)

# Makes images for the reader of systest/format_reader.py.
add_executable(store_world store_world.c)
target_link_libraries(store_world PRIVATE store_fixture host_snap fake_disk host_lib)
