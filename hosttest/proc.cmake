# Programs: what is portable of kernel/proc.
eidolon_host_test(elf_test SOURCES elf_test.c LIBRARIES host_proc)
eidolon_host_test(terminal_line_test SOURCES terminal_line_test.c terminal_fixture.c LIBRARIES host_proc)
eidolon_host_test(terminal_screen_test SOURCES terminal_screen_test.c terminal_fixture.c LIBRARIES host_proc)
eidolon_host_test(fpu_test SOURCES fpu_test.c ${CMAKE_SOURCE_DIR}/kernel/arch/i386/fpu.c)
