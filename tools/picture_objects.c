/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What several programs see: of each object, which of the programs drawn have a region that shows it.
 */
#include "picture.h"

#include <string.h>

#define TOLD 4u /* programs of an object that are named */

static struct viewers {
    uint16_t programs[TOLD]; /* by number, ascending */
    uint16_t count;          /* of all */
} viewers[OBJECTS_RECORDED];

static struct viewers *viewers_of(struct object_id object)
{
    uint32_t index = object.number - OBJECTS_FIRST;

    return object.number >= OBJECTS_FIRST && index < OBJECTS_RECORDED ? &viewers[index] : NULL;
}

static enum error note_region(const struct vm_region *region, void *context)
{
    const struct picture_program *program = context;
    struct viewers *of = vm_backing_has_object(&region->backing) ? viewers_of(region->backing.object) : NULL;

    if (of == NULL || (of->count > 0 && of->count <= TOLD && of->programs[of->count - 1] == program->index)) {
        return OK;
    }
    if (of->count < TOLD) {
        of->programs[of->count] = (uint16_t)program->index;
    }
    of->count++;
    return OK;
}

void picture_note_viewers(const struct picture *picture)
{
    memset(viewers, 0, sizeof(viewers));
    for (uint32_t i = 0; i < picture->program_count; i++) {
        struct picture_program program = picture->programs[i];
        /* What cannot be read of it is said where its window is drawn. */
        (void)(regions_walk(&picture->image, &program.space, note_region, &program) == OK);
    }
}

void picture_object_text(const struct picture *picture, struct object_id object, uint32_t program, char *out,
                         size_t bytes)
{
    const struct viewers *of = viewers_of(object);
    struct object_record record = {0};
    size_t length = 0;
    const char *before = "with ";

    out[0] = 0;
    if (of == NULL) {
        return;
    }
    if (image_record_read(&picture->image, RECORD_OBJECT, object.number - OBJECTS_FIRST, &record) == OK &&
        record.name[0] != 0) {
        length = (size_t)snprintf(out, bytes, "%.*s", (int)PROGRAM_NAME_MAX, record.name);
        before = ", with ";
    }
    for (uint32_t i = 0; i < of->count && i < TOLD && length < bytes; i++) {
        if (of->programs[i] != program) {
            length += (size_t)snprintf(out + length, bytes - length, "%s%u", before, of->programs[i]);
            before = ", ";
        }
    }
    if (of->count > TOLD && length < bytes) {
        snprintf(out + length, bytes - length, " and more");
    }
}
