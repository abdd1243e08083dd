# thread: what of it is portable.
eidolon_host_test(atomic_test SOURCES atomic_test.c)
