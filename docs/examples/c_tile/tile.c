/* The arithmetic. Each comment names the clause of refsim that the lines below follow. */
#include "tile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *checked(void *memory)
{
    if (!memory) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

static float *numbers(size_t count)
{
    return checked(calloc(count + 1, sizeof(float)));
}

static void renew(float **old, size_t count)
{
    free(*old);
    *old = numbers(count);
}

static parameter_t new_parameter(size_t size)
{
    parameter_t p = {numbers(size), NULL, NULL, size};
    return p;
}

static void free_parameter(parameter_t *p)
{
    free(p->value);
    free(p->gradient);
    free(p->velocity);
}

tile_t *new_tile(settings_t s, size_t out, size_t in, bool has_bias)
{
    tile_t *tile = checked(calloc(1, sizeof(tile_t)));
    tile->s = s;
    tile->out = out;
    tile->in = in;
    tile->has_bias = has_bias;
    tile->weight = new_parameter(out * in);
    tile->bias = new_parameter(out);
    tile->range = new_parameter(1);
    return tile;
}

void free_tile(tile_t *tile)
{
    float *arrays[] = {tile->x, tile->v, tile->q, tile->d, tile->m,
                       tile->t, tile->z, tile->y, tile->input_gradient};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++)
        free(arrays[k]);
    free_parameter(&tile->weight);
    free_parameter(&tile->bias);
    free_parameter(&tile->range);
    free(tile);
}

static float clip(float a, float bound)
{
    return a < -bound ? -bound : a > bound ? bound : a;
}

/* DC-1: half-way values go to the even multiple, as rintf does. */
static float on_grid(float a, float step)
{
    return step == 0 ? a : rintf(a / step) * step;
}

void forward(tile_t *tile, const float *x, size_t rows)
{
    const settings_t *s = &tile->s;
    size_t inputs = rows * tile->in, outputs = rows * tile->out;
    float r = tile->range.value[0];

    tile->rows = rows;
    float **arrays[] = {&tile->x, &tile->v, &tile->q, &tile->d, &tile->m, &tile->t, &tile->z, &tile->y};
    for (int k = 0; k < 8; k++)
        renew(arrays[k], k < 4 ? inputs : outputs);
    memcpy(tile->x, x, inputs * sizeof(float));

    for (size_t k = 0; k < inputs; k++) {
        tile->v[k] = s->ranged ? clip(x[k], fabsf(r)) / r : x[k];            /* IR-2, IR-3 */
        tile->q[k] = s->perfect ? tile->v[k] : on_grid(tile->v[k], s->inp_step); /* DC-3 */
        tile->d[k] = s->perfect ? tile->q[k] : clip(tile->q[k], s->inp_bound);
    }
    for (size_t n = 0; n < rows; n++)
        for (size_t o = 0; o < tile->out; o++) {
            size_t k = n * tile->out + o;
            float sum = 0; /* MV-1, in the order that the profile declares: a plain loop */
            for (size_t i = 0; i < tile->in; i++)
                sum += tile->d[n * tile->in + i] * tile->weight.value[o * tile->in + i];
            tile->m[k] = sum;
            tile->t[k] = s->perfect ? sum : on_grid(sum, s->out_step); /* DC-4 */
            tile->z[k] = s->perfect ? sum : clip(tile->t[k], s->out_bound) * s->out_scale; /* DC-5 */
            tile->y[k] = s->ranged ? tile->z[k] * r : tile->z[k];       /* PP-1 */
            if (tile->has_bias)
                tile->y[k] += tile->bias.value[o]; /* PP-2 */
        }
}

static void add(parameter_t *p, const float *gradient)
{
    if (!p->gradient)
        p->gradient = numbers(p->size);
    for (size_t k = 0; k < p->size; k++)
        p->gradient[k] += gradient[k];
}

/* IR-4 to IR-8: the rule, the decay, and what the chain rule adds. */
static float range_gradient(const tile_t *tile, const float *dy, const float *dv)
{
    const settings_t *s = &tile->s;
    float r = tile->range.value[0], upper = 0, lower = 0, outputs = 0, inputs = 0;
    size_t count = tile->rows * tile->in, inside = 0;

    for (size_t k = 0; k < count; k++) {
        float c = clip(tile->x[k], fabsf(r)), d = dv[k] / r;
        if (c >= r && d < 0) /* both edges are inclusive */
            upper += d;
        if (c <= -r && d > 0)
            lower += d;
        inside += fabsf(c) < r;
        inputs += dv[k] * tile->v[k];
    }
    for (size_t k = 0; k < tile->rows * tile->out; k++)
        outputs += dy[k] * tile->z[k];

    float rule = upper - lower;
    if (s->relative)
        rule *= r;
    rule *= s->rule_scale;
    float fraction = count ? (float)((double)inside / (double)count) : NAN;
    if (s->decay > 0 && fraction > s->min_fraction)
        rule += s->decay * r;
    return rule + (outputs - inputs / r);
}

void backward(tile_t *tile, const float *dy)
{
    const settings_t *s = &tile->s;
    size_t rows = tile->rows, in = tile->in, out = tile->out;
    float r = tile->range.value[0];
    float *g = numbers(rows * out), *dv = numbers(rows * in);
    float *dw = numbers(out * in), *db = numbers(out);

    for (size_t k = 0; k < rows * out; k++) {
        db[k % out] += dy[k];                  /* SU-3 */
        g[k] = s->ranged ? dy[k] * r : dy[k];  /* PP-1 */
        if (!s->perfect)                       /* BP-1: straight through, blocked beyond the bound */
            g[k] = fabsf(tile->t[k]) <= s->out_bound ? g[k] * s->out_scale : 0;
    }
    for (size_t n = 0; n < rows; n++)
        for (size_t o = 0; o < out; o++)
            for (size_t i = 0; i < in; i++) {
                dw[o * in + i] += g[n * out + o] * tile->d[n * in + i];            /* MV-4 */
                dv[n * in + i] += g[n * out + o] * tile->weight.value[o * in + i]; /* MV-3 */
            }
    renew(&tile->input_gradient, rows * in);
    for (size_t k = 0; k < rows * in; k++) {
        if (!s->perfect && !(fabsf(tile->q[k]) <= s->inp_bound)) /* BP-2 */
            dv[k] = 0;
        float d = s->ranged ? dv[k] / r : dv[k]; /* IR-9 */
        tile->input_gradient[k] = !s->ranged || fabsf(tile->x[k]) <= fabsf(r) ? d : 0;
    }
    add(&tile->weight, dw);
    if (tile->has_bias)
        add(&tile->bias, db);
    if (s->ranged && s->learned) {
        float dr = range_gradient(tile, dy, dv);
        add(&tile->range, &dr);
    }
    free(g);
    free(dv);
    free(dw);
    free(db);
}

/* OP-1; the gradients are gone afterwards. */
static void update(parameter_t *p, float lr, float momentum, float undamped, float decay, bool nesterov)
{
    if (!p->gradient)
        return;
    bool first = !p->velocity;
    if (momentum != 0 && first)
        p->velocity = numbers(p->size);
    for (size_t k = 0; k < p->size; k++) {
        float d = p->gradient[k];
        if (decay != 0)
            d += decay * p->value[k];
        if (momentum != 0) {
            p->velocity[k] = first ? d : momentum * p->velocity[k] + undamped * d;
            d = nesterov ? d + momentum * p->velocity[k] : p->velocity[k];
        }
        p->value[k] -= lr * d;
    }
    free(p->gradient);
    p->gradient = NULL;
}

void sgd_step(tile_t *tile, double lr, double momentum, double dampening, double decay, bool nesterov)
{
    parameter_t *all[] = {&tile->weight, &tile->bias, &tile->range};
    for (int k = 0; k < 3; k++)
        update(all[k], (float)lr, (float)momentum, (float)(1 - dampening), (float)decay, nesterov);
}
