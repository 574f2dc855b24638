/* Compiler attributes. */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

/* The result says whether the call worked and must be looked at. */
#define NODISCARD __attribute__((warn_unused_result))
/* printf-like: the format is argument F, its values start at A (1-based). */
#define PRINTF_LIKE(F, A) __attribute__((format(printf, F, A)))
/* A function whose body takes the place of each call. */
#define INLINE static inline __attribute__((always_inline))

#endif
