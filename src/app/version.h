/* Which version this is. */
#ifndef APP_VERSION_H
#define APP_VERSION_H

/* "0.1.0" */
extern const char reservewatch_version[];

#endif
