// All the loops of one instruction set, and their table.

#include "vector.h"

#include "product.h"

#include "attention_panel.h"

#include "attention.h"

#include "selection.h"

#include "pointwise.h"

#include "norm.h"

#include "optimizer.h"
#include "rows.h"

static const struct ssdf_neural_kernels N(table) = {
    .panel = MAX_VECTORS * LANES,
    .packed_count = N(packed_count),
    .pack = N(pack),
    .product_rows = N(product_rows),
    .outer_rows = N(outer_rows),
    .attention_scratch = N(attention_scratch),
    .attention_forward = N(attention_forward),
    .attention_backward = N(attention_backward),
    .compressed_scratch = N(compressed_scratch),
    .compressed_forward = N(compressed_forward),
    .selected_scratch = N(selected_scratch),
    .selected_forward = N(selected_forward),
    .selected_backward = N(selected_backward),
    .apply = N(apply),
    .apply_gradient = N(apply_gradient),
    .add = N(add),
    .multiply = N(multiply),
    .multiply_add = N(multiply_add),
    .affine = N(affine),
    .dot = N(dot),
    .row_dots = N(row_dots),
    .layer_norm = N(layer_norm),
    .layer_norm_gradient = N(layer_norm_gradient),
    .rms_norm = N(rms_norm),
    .rms_norm_gradient = N(rms_norm_gradient),
    .column_sums = N(column_sums),
    .column_products = N(column_products),
    .column_affine = N(column_affine),
    .column_blend = N(column_blend),
    .softmax = N(softmax),
    .softmax_gradient = N(softmax_gradient),
    .gather = N(gather),
    .scatter_add = N(scatter_add),
    .gather_mean = N(gather_mean),
    .adam_step = N(adam_step),
};

// The names above belong to one instruction set.
#undef JOIN2
#undef JOIN
#undef N
#undef INLINE
#undef V
#undef VI
#undef PANEL
#undef TILE_ROWS
#undef TILE_COLUMNS
#undef KEYS
#undef GRADIENT_KEYS
#undef KEYS_ALONE
#undef DEPTH_BLOCK
#undef VU
#undef WORD
#undef KEYS_OF
#undef VALUES_OF
