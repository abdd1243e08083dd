/*
 * Boot-time step of pmap.
 */
#ifndef I386_PMAP_INTERNAL_H
#define I386_PMAP_INTERNAL_H

void pmap_initialise(void);

#endif
