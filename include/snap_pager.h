#ifndef SNAP_PAGER_H
#define SNAP_PAGER_H

#include "vm_fault.h"

struct store;

/* The store as the pager of the one object space. */
const struct vm_pager *snap_pager(struct store *store);

#endif
