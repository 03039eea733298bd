// Compiles BODY, a header of loops over vectors, once for each instruction set.

#define SUFFIX scalar
#define LANES 4
#define MAX_VECTORS 2
#include BODY
#undef SUFFIX
#undef LANES
#undef MAX_VECTORS

#if defined(__x86_64__)

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define SUFFIX avx2
#define LANES 8
#define MAX_VECTORS 2
#include BODY
#undef SUFFIX
#undef LANES
#undef MAX_VECTORS
#pragma clang attribute pop

#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))), apply_to = function)
#define SUFFIX avx512
#define LANES 16
#define MAX_VECTORS 4
#include BODY
#undef SUFFIX
#undef LANES
#undef MAX_VECTORS
#pragma clang attribute pop

#endif
