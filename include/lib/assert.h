/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * <assert.h> in kernel builds: the kernel's own assertion, which stays on in release builds.
 */
#include "log.h"

#undef assert
#define assert(condition) ASSERT(condition)

#ifndef __cplusplus
#undef static_assert
#define static_assert _Static_assert
#endif
