// Products and attention with bf16 operands: the loops of neural/product.h and neural/attention.h with two numbers a
// word, f32 sums and softmax.
//
// The error against exact attention is that of rounding q, k, v and the exponentials to 8 bits: below 1/256 relative to
// the largest value. Gradients are f32 at every precision.

#include "ssdf_neural.h"

#include <math.h>
#include <string.h>

#include "ssdf_convert.h"
#include "ssdf_kernels.h"

#define NATIVE 2
#define EMULATED 1

#define SUFFIX bf16_emulated
#define LANES 4
#define MAX_VECTORS 2
#define BRAIN_FLOAT EMULATED
#include "neural/bf16_bodies.h"
#undef SUFFIX
#undef LANES
#undef MAX_VECTORS
#undef BRAIN_FLOAT

#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c"))), apply_to = function)
#include <immintrin.h>
#define SUFFIX bf16_native
#define LANES 16
#define MAX_VECTORS 4
#define BRAIN_FLOAT NATIVE
#include "neural/bf16_bodies.h"
#undef SUFFIX
#undef LANES
#undef MAX_VECTORS
#undef BRAIN_FLOAT
#pragma clang attribute pop
#endif

const struct ssdf_attention_kernels *ssdf_bf16_kernels(int native) {
#if defined(__x86_64__)
    if (native) return ssdf_processor_has_bf16() ? &table_bf16_native : 0;
#endif
    return native ? 0 : &table_bf16_emulated;
}

const struct ssdf_product_kernels *ssdf_bf16_products(int native) {
#if defined(__x86_64__)
    if (native) return ssdf_processor_has_bf16() ? &products_bf16_native : 0;
#endif
    return native ? 0 : &products_bf16_emulated;
}
