/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a campaign of random numbers is: what docs/testing.md says as built, a third of it under AddressSanitizer,
 * where each step costs three times as much, and with EIDOLON_SOAK far more. Where it begins: EIDOLON_SEED.
 */
#ifndef CAMPAIGN_H
#define CAMPAIGN_H

#include <stdint.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
#define CAMPAIGN_SHARE 3u
#else
#define CAMPAIGN_SHARE 1u
#endif

static inline uint64_t campaign_length(uint64_t usual, uint64_t soak)
{
    return getenv("EIDOLON_SOAK") != NULL ? soak : (usual + CAMPAIGN_SHARE - 1) / CAMPAIGN_SHARE;
}

static inline uint64_t campaign_seed(uint64_t usual)
{
    const char *given = getenv("EIDOLON_SEED");

    return given != NULL ? strtoull(given, NULL, 0) : usual;
}

#endif
