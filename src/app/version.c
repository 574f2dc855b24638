#include "app/version.h"

const char reservewatch_version[] = RESERVEWATCH_VERSION;
