# SPDX-License-Identifier: BSD-2-Clause
# Instrumented builds of what runs on the host; the kernel is never instrumented.
#
#     -DEIDOLON_SANITIZE=address    AddressSanitizer and UndefinedBehaviorSanitizer
#     -DEIDOLON_SANITIZE=thread     ThreadSanitizer
#     -DEIDOLON_SANITIZE=coverage   gcov counters, no optimisation
#
# Whatever links eidolon_sanitize is instrumented; host_<module> libraries and host tests do.
set(EIDOLON_SANITIZE "" CACHE STRING "Instrument host code: address, thread, coverage or nothing")
set_property(CACHE EIDOLON_SANITIZE PROPERTY STRINGS "" address thread coverage)

add_library(eidolon_sanitize INTERFACE)
if(EIDOLON_SANITIZE STREQUAL "address")
    set(instrumentation -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(EIDOLON_SANITIZE STREQUAL "thread")
    set(instrumentation -fsanitize=thread -fno-omit-frame-pointer)
elseif(EIDOLON_SANITIZE STREQUAL "coverage")
    # Variables and counters lie in sections of their own, so that a test can tell them apart: hosttest/fake/kernel_data.ld.
    set(instrumentation --coverage -O0 -fprofile-update=atomic -fdata-sections)
    # For tests whose processes end without their exit handlers: space_fixture.c.
    target_link_options(eidolon_sanitize INTERFACE -Wl,-u,__gcov_dump)
elseif(NOT EIDOLON_SANITIZE STREQUAL "")
    message(FATAL_ERROR "EIDOLON_SANITIZE is '${EIDOLON_SANITIZE}': expected address, thread, coverage or nothing")
endif()
if(instrumentation)
    # An instrumented expression is folded less, and conversions of its value are warned of that are none.
    list(APPEND instrumentation -Wno-conversion)
endif()
target_compile_options(eidolon_sanitize INTERFACE ${instrumentation})
target_link_options(eidolon_sanitize INTERFACE ${instrumentation})
