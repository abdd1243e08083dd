/* The version of this kernel, as images record it. */
#ifndef VERSION_H
#define VERSION_H

#define EIDOLON_VERSION "0.1.0"

#endif
