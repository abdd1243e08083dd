/* SPDX-License-Identifier: BSD-2-Clause */
/* The version of this kernel, as images record it. */
#ifndef VERSION_H
#define VERSION_H

#ifndef EIDOLON_VERSION /* tests build kernels of other versions */
#define EIDOLON_VERSION "0.1.0"
#endif

#endif
