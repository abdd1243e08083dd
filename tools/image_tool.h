/*
 * What the commands of the image tool share.
 */
#ifndef IMAGE_TOOL_H
#define IMAGE_TOOL_H

/* Exit statuses: the image is sound or the command done; something was found wrong with it; it could not run. */
enum { STATUS_SOUND = 0, STATUS_FOUND = 1, STATUS_NOT_RUN = 2 };

/* A message to stderr, with the tool's name in front and a newline after. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The commands: argv[0] is the command's name. They return an exit status. */
int command_create(int argc, char **argv);
int command_info(int argc, char **argv);

#endif
