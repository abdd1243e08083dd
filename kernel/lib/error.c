/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors in words.
 */
#include "error.h"

const char *error_text(enum error error)
{
    switch (error) {
    case OK:
        return "no error";
    case ERROR_NO_MEMORY:
        return "no memory";
    case ERROR_EXISTS:
        return "it exists already";
    case ERROR_NOT_FOUND:
        return "not found";
    case ERROR_BUSY:
        return "busy";
    case ERROR_RANGE:
        return "out of range";
    case ERROR_INVALID:
        return "invalid argument";
    case ERROR_DENIED:
        return "access denied";
    case ERROR_IO:
        return "input/output error";
    case ERROR_CHECKSUM:
        return "checksum mismatch";
    case ERROR_NO_SPACE:
        return "disk full";
    case ERROR_FORMAT_FOREIGN:
        return "not an Eidolon image";
    case ERROR_FORMAT_VERSION:
        return "format version not supported";
    case ERROR_FORMAT_DAMAGED:
        return "image damaged";
    case ERROR_READ_ONLY:
        return "read-only";
    case ERROR_TOO_SMALL:
        return "too small";
    case ERROR_IN_USE:
        return "in use by another kernel";
    case ERROR_TIMED_OUT:
        return "timed out";
    case ERROR_INTERRUPTED:
        return "interrupted";
    case ERROR_UNSUPPORTED:
        return "not supported";
    case ERROR_NOT_FOLDER:
        return "not a directory";
    case ERROR_IS_FOLDER:
        return "a directory";
    case ERROR_NOT_EMPTY:
        return "a directory that is not empty";
    case ERROR_TOO_LONG:
        return "too long a name";
    case ERROR_LOOP:
        return "too many links";
    case ERROR_LINKS:
        return "too many names";
    }
    return "unknown error";
}
