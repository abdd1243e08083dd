# SPDX-License-Identifier: BSD-2-Clause
# Lies in images of real runs, and the image tool's commands over them. systest/test_lies.py makes the images.
set(TOOLS ${CMAKE_SOURCE_DIR}/tools)
add_executable(lie_tool
    lie_disk.c lie_draw.c lie_fields.c lie_image.c lie_tool.c lie_try.c
    ${TOOLS}/image.c ${TOOLS}/image_cat.c ${TOOLS}/image_core.c ${TOOLS}/image_create.c ${TOOLS}/image_diff.c
    ${TOOLS}/image_info.c ${TOOLS}/image_picture.c ${TOOLS}/image_pin.c ${TOOLS}/image_programs.c ${TOOLS}/image_proof.c
    ${TOOLS}/image_records.c
    ${TOOLS}/image_diff_programs.c ${TOOLS}/image_symbols.c ${TOOLS}/image_tasks.c ${TOOLS}/image_verify.c
    ${TOOLS}/picture_disk.c ${TOOLS}/picture_objects.c ${TOOLS}/picture_svg.c
    ${TOOLS}/picture_window.c ${TOOLS}/host_machine.c
    ${CMAKE_SOURCE_DIR}/kernel/snap/store_checksum.c)
target_include_directories(lie_tool PRIVATE ${TOOLS} ${CMAKE_SOURCE_DIR}/kernel/snap)
target_link_libraries(lie_tool PRIVATE host_snap host_block host_proc host_fs host_vm_map host_lib)

# The same lies, told to boots of the whole kernel.
add_executable(lie_boot lie_boot.c lie_disk.c lie_draw.c lie_fields.c lie_image.c lie_tool.c)
target_include_directories(lie_boot PRIVATE ${TOOLS} ${CMAKE_SOURCE_DIR}/kernel/snap)
target_link_libraries(lie_boot PRIVATE boot_fixture)
target_link_options(lie_boot PRIVATE -Wl,-T,${CMAKE_CURRENT_SOURCE_DIR}/fake/kernel_data.ld)
set_target_properties(lie_boot PROPERTIES LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/fake/kernel_data.ld)

# Half of the time goes into checksums: they alone are not instrumented.
set_source_files_properties(${CMAKE_SOURCE_DIR}/kernel/snap/store_checksum.c TARGET_DIRECTORY lie_tool
    PROPERTIES COMPILE_OPTIONS "-O3;-fno-sanitize=all")
