/* The clocks. Everything below this floor is told the time. */
#ifndef IO_CLOCK_H
#define IO_CLOCK_H

#include "base/time.h"

/* Time since the machine started, not counting sleep. */
struct mono_time now_mono(void);
struct wall_time now_wall(void);

#endif
