// The forward loops of attention with two bf16 numbers a word, and their table.

#include "vector.h"

#include "attention_panel.h"

#include "attention.h"

#include "selection.h"

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
#undef GRADIENT_KEYS
#undef KEYS_ALONE
#undef KEYS_OF
#undef VALUES_OF
