# The store: the faulty disk, and the store on it.
add_library(fake_disk STATIC fake/disk.c)
target_include_directories(fake_disk PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(fake_disk PUBLIC host_block fake_machine)

foreach(test layer model crash)
    eidolon_host_test(store_${test}_test
        SOURCES store_${test}_test.c store_fixture.c
        LIBRARIES host_snap fake_disk)
    target_include_directories(store_${test}_test PRIVATE ${CMAKE_SOURCE_DIR}/kernel/snap)
endforeach()
