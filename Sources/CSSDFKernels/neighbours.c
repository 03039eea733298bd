#include "ssdf_neighbours.h"

// For a place in a 4×4×4 block and a tap: the neighbouring block (0 … 26) and the place there.
struct step {
    uint8_t block, place;
};

static struct step steps[64][27];

// Filled before main, so that readers on any thread see constants.
__attribute__((constructor)) static void fill_steps(void) {
    for (int place = 0; place < 64; place++) {
        for (int tap = 0; tap < 27; tap++) {
            int x = (place >> 4) + tap % 3 - 1, y = (place >> 2 & 3) + tap / 3 % 3 - 1, z = (place & 3) + tap / 9 - 1;
            int block = ((x + 4) / 4) * 9 + ((y + 4) / 4) * 3 + (z + 4) / 4;
            steps[place][tap].block = (uint8_t)block;
            steps[place][tap].place = (uint8_t)((x & 3) << 4 | (y & 3) << 2 | (z & 3));
        }
    }
}

static inline int32_t neighbour(const struct ssdf_neighbour_table *t, const int32_t *around, const struct step *step) {
    return t->rows[(size_t)around[step->block] * 64 + step->place];
}

void ssdf_count_neighbours(struct ssdf_neighbour_table t, size_t first, size_t count, intptr_t *counts) {
    for (size_t row = first; row < first + count; row++) {
        const int32_t *around = t.around + (size_t)t.block_of_row[row] * 27;
        const struct step *step = steps[t.place_of_row[row]];
        for (int tap = 0; tap < 27; tap++) counts[tap] += neighbour(&t, around, step + tap) >= 0;
    }
}

void ssdf_list_neighbours(struct ssdf_neighbour_table t, size_t first, size_t count, const intptr_t *starts,
                          int32_t *inputs, uint16_t *outputs) {
    intptr_t next[27];
    for (int tap = 0; tap < 27; tap++) next[tap] = starts[tap];
    for (size_t row = first; row < first + count; row++) {
        const int32_t *around = t.around + (size_t)t.block_of_row[row] * 27;
        const struct step *step = steps[t.place_of_row[row]];
        for (int tap = 0; tap < 27; tap++) {
            int32_t input = neighbour(&t, around, step + tap);
            if (input < 0) continue;
            inputs[next[tap]] = input;
            outputs[next[tap]] = (uint16_t)(row - first);
            next[tap]++;
        }
    }
}
