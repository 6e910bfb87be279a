/* A tile of the autograd path in float32: input range, DAC, product, ADC, bias, and their gradients. */
#ifndef TILE_H
#define TILE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    bool perfect;              /* the product alone, without converters */
    float inp_step, inp_bound; /* of the DAC; step 0: no rounding, bound INFINITY: no clip */
    float out_step, out_bound; /* of the ADC */
    float out_scale;
    bool ranged, learned; /* whether there is an input range, and whether it is trained */
    bool relative;        /* the rule of the range is multiplied by the range */
    float rule_scale, decay, min_fraction;
} settings_t;

typedef struct {
    float *value, *gradient, *velocity; /* the last two are NULL as long as there are none */
    size_t size;
} parameter_t;

typedef struct {
    settings_t s;
    size_t out, in, rows;
    bool has_bias;
    parameter_t weight, bias, range;
    float *x, *v, *q, *d;  /* (rows, in): input, scaled, rounded, clipped */
    float *m, *t, *z, *y;  /* (rows, out): product, rounded, core output, output */
    float *input_gradient; /* (rows, in) */
} tile_t;

tile_t *new_tile(settings_t s, size_t out, size_t in, bool has_bias);
void free_tile(tile_t *tile);
void forward(tile_t *tile, const float *x, size_t rows);
void backward(tile_t *tile, const float *dy);
void sgd_step(tile_t *tile, double lr, double momentum, double dampening, double decay, bool nesterov);
void *checked(void *memory);

#endif
