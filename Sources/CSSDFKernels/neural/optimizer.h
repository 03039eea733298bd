// The step of AdamW. Source: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019, alg. 2.

#pragma clang fp contract(fast)

static void N(adam_step)(const struct ssdf_adam *t, float *weight, const float *gradient, float *first, float *second,
                         size_t count) {
    const float keep = 1 - t->rate * t->decay, step = t->rate / t->correction1;
    const float inverse = 1 / __builtin_sqrtf(t->correction2);
    for (size_t i = 0; i < count; i++) {
        float g = gradient[i] * t->gradient_scale;
        float m = t->beta1 * first[i] + (1 - t->beta1) * g;
        float v = t->beta2 * second[i] + (1 - t->beta2) * g * g;
        first[i] = m;
        second[i] = v;
        weight[i] = weight[i] * keep - step * m / (__builtin_sqrtf(v) * inverse + t->epsilon);
    }
}
