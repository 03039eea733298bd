// The inner loops of the neural engine.
//
// Every loop is written once, over vectors of the widest registers of an instruction set, and compiled for each set
// (each_isa.h). `ssdf_neural_kernels` returns the table of one set. All matrices are row-major f32. Pointers may not
// overlap unless a comment says so. Nothing here allocates, locks or starts threads: one call is one tile of work.
#ifndef SSDF_NEURAL_H
#define SSDF_NEURAL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Pointwise functions. The GELUs are the tanh form and the erf form.
enum ssdf_function {
    SSDF_RELU = 0,
    SSDF_SILU = 1,
    SSDF_SIGMOID = 2,
    SSDF_TANH = 3,
    SSDF_GELU_TANH = 4,
    SSDF_GELU_ERF = 5,
    SSDF_EXP = 6,
};

// How two operands of a row-wise operation meet. The second operand is [rows, columns], one row [columns] for all
// rows, or one number a row [rows].
enum ssdf_broadcast { SSDF_SAME = 0, SSDF_ROW = 1, SSDF_COLUMN = 2 };

// How query rows (a row is one query head of one token) fill vectors of lanes.
enum ssdf_lanes {
    // Rows in order, heads of a token side by side, no lane idle but the last vector's.
    SSDF_LANES_OF_ROWS = 0,
    // Every token begins a vector.
    SSDF_LANES_OF_TOKEN = 1,
    // Tokens in the lanes, one head a vector.
    SSDF_LANES_OF_HEAD = 2,
};

// A chunk of query tokens with the query heads of one key/value head. Query row (token t, head h of the group) starts
// at q + t·q_stride + h·dimension; its key and value rows start at k + t·k_stride and v + t·v_stride: the caller has
// already moved k and v to the key/value head, and q, out and lse to the first query head, of the group.
struct ssdf_attention {
    const float *_Nonnull q;
    const float *_Nonnull k;
    const float *_Nonnull v;
    size_t q_stride, k_stride, v_stride, out_stride, lse_stride;
    const int32_t *_Nullable q_rows;  // the chunk's tokens; null: 0 ..< queries
    size_t queries;
    size_t group;      // query heads that share the key/value head
    size_t dimension;  // of a head
    float scale;       // of the scores
    int order;         // enum ssdf_lanes
    const float *_Nullable gate;  // factor of a token's result, at gate + t·gate_stride; null: 1
    size_t gate_stride;
    int adds;  // results are added to what is there: out, or dq of the gradient
};

// The gradients of a chunk: strides as those of q, k and v. delta, Σ out·dout of a row without its gate, is laid out as
// lse. With `out` it is taken from there; else, where it is not known, it is computed by a pass of its own over the
// keys and written to `delta`.
struct ssdf_attention_gradient {
    const float *_Nullable out;
    const float *_Nonnull dout;
    const float *_Nonnull lse;
    float *_Nullable delta;
    int delta_is_known;
    float *_Nonnull dq;
    float *_Nonnull dk;
    float *_Nonnull dv;
    size_t dq_stride, dk_stride, dv_stride;
};

// The blocks of keys that each token of a chunk attends to.
struct ssdf_block_choice {
    const int32_t *_Nonnull selected;  // [queries, best], −1 where there are fewer
    size_t best;
    const int32_t *_Nonnull starts;  // [blocks + 1]: keys of block b are starts[b] ..< starts[b + 1]
    size_t blocks;
};

struct ssdf_adam {
    float rate, beta1, beta2, epsilon, decay;
    float correction1, correction2;  // 1 − βᵗ
    float gradient_scale;            // of clipping
};

struct ssdf_neural_kernels {
    // ---- products (neural/product.h)

    // Columns of a full panel: `pack` lays out panels of this many columns.
    size_t panel;

    // Floats that pack() writes for a [depth, columns] matrix.
    size_t (*_Nonnull packed_count)(size_t depth, size_t columns);

    // Lays b [depth, columns], element (k, n) at k·row_stride + n·column_stride, out in column panels, zero padded.
    void (*_Nonnull pack)(const float *_Nonnull b, size_t row_stride, size_t column_stride, size_t depth,
                          size_t columns, float *_Nonnull packed);

    // c[c_rows[p]] += a[a_rows[p]] · B for p in 0 ..< count, with B packed [depth, columns]. Rows of a are a_stride
    // floats apart, of c c_stride. The rows of c must be distinct. A null row list is 0 ..< count.
    void (*_Nonnull product_rows)(const float *_Nonnull a, const int32_t *_Nullable a_rows, size_t a_stride,
                                  const float *_Nonnull packed, size_t depth, size_t columns, float *_Nonnull c,
                                  const uint16_t *_Nullable c_rows, size_t c_stride, size_t count);

    // c [depth, columns] += Σ_p a[a_rows[p]]ᵀ · b[b_rows[p]]: the gradient of product_rows by B. Only rows
    // first ..< last of c are touched, so that several threads can share the work.
    void (*_Nonnull outer_rows)(const float *_Nonnull a, const int32_t *_Nullable a_rows, size_t a_stride,
                                const float *_Nonnull b, const uint16_t *_Nullable b_rows, size_t b_stride,
                                size_t first, size_t last, size_t columns, float *_Nonnull c, size_t count);

    // ---- attention (neural/attention.h)

    // Floats of scratch that attention_forward, or attention_backward, needs for a chunk.
    size_t (*_Nonnull attention_scratch)(const struct ssdf_attention *_Nonnull, int gradient);

    // out = gate · softmax(scale · q kᵀ) v of the chunk over key tokens k_rows (null: 0 ..< keys), streamed over blocks
    // of keys; lse, when given, takes ln Σ exp(score) at lse + t·lse_stride + h. Without keys: out 0, lse −∞.
    void (*_Nonnull attention_forward)(const struct ssdf_attention *_Nonnull, const int32_t *_Nullable k_rows,
                                       size_t keys, float *_Nonnull out, float *_Nullable lse,
                                       float *_Nonnull scratch);

    // The gradients: dq of the chunk is assigned, or added to; dk and dv of the keys are added to. Scores are computed
    // again from lse, not stored.
    void (*_Nonnull attention_backward)(const struct ssdf_attention *_Nonnull,
                                        const struct ssdf_attention_gradient *_Nonnull,
                                        const int32_t *_Nullable k_rows, size_t keys, float *_Nonnull scratch);

    // ---- block-sparse attention (neural/selection.h)

    size_t (*_Nonnull compressed_scratch)(const struct ssdf_attention *_Nonnull, size_t keys, size_t blocks,
                                          size_t best);

    // attention_forward over compressed keys 0 ..< keys, which also chooses for every token the `best` blocks with the
    // largest score, ascending, −1 where there are fewer, to selected [queries, best]. The score of a block is the sum
    // of the softmax over the query heads of the group and the keys with that block_of_key (0 ..< blocks). `scores`,
    // when given, takes them: [queries, blocks]. q_rows is not used.
    void (*_Nonnull compressed_forward)(const struct ssdf_attention *_Nonnull, size_t keys,
                                        const int32_t *_Nonnull block_of_key, size_t blocks, size_t best,
                                        float *_Nonnull out, float *_Nullable lse, int32_t *_Nonnull selected,
                                        float *_Nullable scores, float *_Nonnull scratch);

    size_t (*_Nonnull selected_scratch)(const struct ssdf_attention *_Nonnull,
                                        const struct ssdf_block_choice *_Nonnull, int gradient);

    // attention_forward and attention_backward of every token over the keys of its blocks. The order of lanes must be
    // SSDF_LANES_OF_TOKEN.
    void (*_Nonnull selected_forward)(const struct ssdf_attention *_Nonnull, const struct ssdf_block_choice *_Nonnull,
                                      float *_Nonnull out, float *_Nullable lse, float *_Nonnull scratch);
    void (*_Nonnull selected_backward)(const struct ssdf_attention *_Nonnull,
                                       const struct ssdf_attention_gradient *_Nonnull,
                                       const struct ssdf_block_choice *_Nonnull, float *_Nonnull scratch);

    // ---- pointwise (neural/pointwise.h); y may be x, dx may be dy

    void (*_Nonnull apply)(int function, const float *_Nonnull x, float *_Nonnull y, size_t count);
    // dx = dy · f'(x)
    void (*_Nonnull apply_gradient)(int function, const float *_Nonnull x, const float *_Nonnull dy,
                                    float *_Nonnull dx, size_t count);
    // y = a + s·b and y = a · b, with b broadcast
    void (*_Nonnull add)(const float *_Nonnull a, const float *_Nonnull b, float s, int broadcast,
                         float *_Nonnull y, size_t rows, size_t columns);
    void (*_Nonnull multiply)(const float *_Nonnull a, const float *_Nonnull b, int broadcast, float *_Nonnull y,
                              size_t rows, size_t columns);
    // y += a · b, with b broadcast
    void (*_Nonnull multiply_add)(const float *_Nonnull a, const float *_Nonnull b, int broadcast,
                                  float *_Nonnull y, size_t rows, size_t columns);
    // y = s·x + t
    void (*_Nonnull affine)(const float *_Nonnull x, float s, float t, float *_Nonnull y, size_t count);
    // Σ a·b, in double from blocks of float lanes.
    double (*_Nonnull dot)(const float *_Nonnull a, const float *_Nonnull b, size_t count);
    // Σ over rows, in double a row: out[r] = Σ_c a[r,c]·b[r,c]
    void (*_Nonnull row_dots)(const float *_Nonnull a, const float *_Nonnull b, float *_Nonnull out, size_t rows,
                              size_t columns);

    // ---- norms (neural/norm.h)

    // y = (x − μ)/√(σ² + ε) · weight + bias over each row; weight and bias may be null.
    void (*_Nonnull layer_norm)(const float *_Nonnull x, const float *_Nullable weight, const float *_Nullable bias,
                                float epsilon, float *_Nonnull y, size_t rows, size_t columns);
    // dx of layer_norm, which is added to where `adds`; dweight and dbias, when given, are added to.
    void (*_Nonnull layer_norm_gradient)(const float *_Nonnull x, const float *_Nullable weight,
                                         const float *_Nonnull dy, float epsilon, float *_Nonnull dx, int adds,
                                         float *_Nullable dweight, float *_Nullable dbias, size_t rows,
                                         size_t columns);
    // y = x / max(‖x‖, 1e-12) · gamma[row mod heads] · √dimension over each row [dimension]
    void (*_Nonnull rms_norm)(const float *_Nonnull x, const float *_Nonnull gamma, float *_Nonnull y, size_t rows,
                              size_t heads, size_t dimension);
    void (*_Nonnull rms_norm_gradient)(const float *_Nonnull x, const float *_Nonnull gamma,
                                       const float *_Nonnull dy, float *_Nonnull dx, float *_Nonnull dgamma,
                                       size_t rows, size_t heads, size_t dimension);
    // sums[c] = Σ_r x[r,c]; with a mean, Σ_r (x[r,c] − mean[c])²
    void (*_Nonnull column_sums)(const float *_Nonnull x, const float *_Nullable mean, float *_Nonnull sums,
                                 size_t rows, size_t columns);
    // sums[c] = Σ_r dy[r,c]·(x[r,c] − mean[c])
    void (*_Nonnull column_products)(const float *_Nonnull dy, const float *_Nonnull x, const float *_Nullable mean,
                                     float *_Nonnull sums, size_t rows, size_t columns);
    // y = x · scale[c] + shift[c]
    void (*_Nonnull column_affine)(const float *_Nonnull x, const float *_Nonnull scale,
                                   const float *_Nonnull shift, float *_Nonnull y, size_t rows, size_t columns);
    // y = a · p[c] + b · q[c] + r[c]
    void (*_Nonnull column_blend)(const float *_Nonnull a, const float *_Nonnull p, const float *_Nonnull b,
                                  const float *_Nonnull q, const float *_Nonnull r, float *_Nonnull y, size_t rows,
                                  size_t columns);
    // y = softmax of each row; dx = y·(dy − Σ y·dy)
    void (*_Nonnull softmax)(const float *_Nonnull x, float *_Nonnull y, size_t rows, size_t columns);
    void (*_Nonnull softmax_gradient)(const float *_Nonnull y, const float *_Nonnull dy, float *_Nonnull dx,
                                      size_t rows, size_t columns);

    // ---- rows (neural/rows.h)

    // y[i] = x[index[i]] and y[index[i]] += x[i], rows of `columns`
    void (*_Nonnull gather)(const float *_Nonnull x, const int32_t *_Nonnull index, float *_Nonnull y, size_t count,
                            size_t columns);
    void (*_Nonnull scatter_add)(const float *_Nonnull x, const int32_t *_Nonnull index, float *_Nonnull y,
                                 size_t count, size_t columns);
    // y[i] = weight[i] · Σ_{j in starts[i] ..< starts[i+1]} x[members[j]], summed in double
    void (*_Nonnull gather_mean)(const float *_Nonnull x, const int32_t *_Nonnull members,
                                 const int32_t *_Nonnull starts, const float *_Nonnull weight, float *_Nonnull y,
                                 size_t count, size_t columns);

    // ---- optimiser (neural/optimizer.h)
    void (*_Nonnull adam_step)(const struct ssdf_adam *_Nonnull, float *_Nonnull weight,
                               const float *_Nonnull gradient, float *_Nonnull first, float *_Nonnull second,
                               size_t count);
};

// The products of rows with bf16 operands: members as those of ssdf_neural_kernels, but rows of a, and their stride, are
// in words of two numbers, the first in the lower half, with a 0 after an odd last one; `depth` of product_rows counts
// words too. Sums are f32.
struct ssdf_product_kernels {
    size_t (*_Nonnull packed_count)(size_t depth, size_t columns);
    void (*_Nonnull pack)(const float *_Nonnull b, size_t row_stride, size_t column_stride, size_t depth,
                          size_t columns, float *_Nonnull packed);
    void (*_Nonnull product_rows)(const float *_Nonnull a, const int32_t *_Nullable a_rows, size_t a_stride,
                                  const float *_Nonnull packed, size_t depth, size_t columns, float *_Nonnull c,
                                  const uint16_t *_Nullable c_rows, size_t c_stride, size_t count);
};

// As ssdf_bf16_kernels.
const struct ssdf_product_kernels *_Nullable ssdf_bf16_products(int native);

// The forward kernels of attention with bf16 operands: members as those of ssdf_neural_kernels. Sums and softmax are f32.
struct ssdf_attention_kernels {
    size_t (*_Nonnull attention_scratch)(const struct ssdf_attention *_Nonnull, int gradient);
    void (*_Nonnull attention_forward)(const struct ssdf_attention *_Nonnull, const int32_t *_Nullable k_rows,
                                       size_t keys, float *_Nonnull out, float *_Nullable lse,
                                       float *_Nonnull scratch);
    size_t (*_Nonnull compressed_scratch)(const struct ssdf_attention *_Nonnull, size_t keys, size_t blocks,
                                          size_t best);
    void (*_Nonnull compressed_forward)(const struct ssdf_attention *_Nonnull, size_t keys,
                                        const int32_t *_Nonnull block_of_key, size_t blocks, size_t best,
                                        float *_Nonnull out, float *_Nullable lse, int32_t *_Nonnull selected,
                                        float *_Nullable scores, float *_Nonnull scratch);
    size_t (*_Nonnull selected_scratch)(const struct ssdf_attention *_Nonnull,
                                        const struct ssdf_block_choice *_Nonnull, int gradient);
    void (*_Nonnull selected_forward)(const struct ssdf_attention *_Nonnull, const struct ssdf_block_choice *_Nonnull,
                                      float *_Nonnull out, float *_Nullable lse, float *_Nonnull scratch);
};

// Those that use the processor's bf16 instructions, null where it has none; or, when `native` is 0, a portable body that
// computes the same products in f32, for tests.
const struct ssdf_attention_kernels *_Nullable ssdf_bf16_kernels(int native);

// The kernels of an instruction set (enum ssdf_isa); sets the processor lacks must not be called.
const struct ssdf_neural_kernels *_Nonnull ssdf_neural_kernels(int isa);

#ifdef __cplusplus
}
#endif

#endif
