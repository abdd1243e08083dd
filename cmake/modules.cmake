# SPDX-License-Identifier: BSD-2-Clause
# How a folder under kernel/ becomes part of the system.

# Sources of the kernel only: eidolon_kernel_sources(a.c b.S)
function(eidolon_kernel_sources)
    foreach(file ${ARGN})
        target_sources(kernel_objects PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    endforeach()
endfunction()

# Portable sources: linked into the kernel, and into host programs as the library host_<name>.
# The machine contract they call is left open there: hosttest/fake or the image tool provides it.
function(eidolon_portable_module name)
    eidolon_kernel_sources(${ARGN})
    add_library(host_${name} STATIC ${ARGN})
    target_include_directories(host_${name} PUBLIC ${CMAKE_SOURCE_DIR}/include)
    target_compile_options(host_${name} PRIVATE -ffreestanding)
    target_link_libraries(host_${name} PUBLIC eidolon_sanitize)
endfunction()

# Make `target` stand for all executables defined in a folder.
function(eidolon_collect_programs target folder)
    get_property(names DIRECTORY ${CMAKE_SOURCE_DIR}/${folder} PROPERTY BUILDSYSTEM_TARGETS)
    foreach(name ${names})
        get_target_property(type ${name} TYPE)
        if(type STREQUAL "EXECUTABLE")
            add_dependencies(${target} ${name})
        endif()
    endforeach()
endfunction()
