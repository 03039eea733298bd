// The forward loops of products and attention with two bf16 numbers a word, and their tables.

#include "vector.h"

#include "product.h"

#include "attention_panel.h"

#include "attention.h"

#include "selection.h"

static const struct ssdf_product_kernels N(products) = {
    .packed_count = N(packed_count),
    .pack = N(pack),
    .product_rows = N(product_rows),
};

static const struct ssdf_attention_kernels N(table) = {
    .attention_scratch = N(attention_scratch),
    .attention_forward = N(attention_forward),
    .compressed_scratch = N(compressed_scratch),
    .compressed_forward = N(compressed_forward),
    .selected_scratch = N(selected_scratch),
    .selected_forward = N(selected_forward),
};

// The names above belong to one instruction set.
#undef JOIN2
#undef JOIN
#undef N
#undef INLINE
#undef V
#undef VI
#undef VU
#undef WORD
#undef KEYS
#undef DEPTH_BLOCK
#undef GRADIENT_KEYS
#undef KEYS_ALONE
#undef KEYS_OF
#undef VALUES_OF
