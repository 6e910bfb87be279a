/* refsim's conformance protocol, version 1, on the standard streams: a line of JSON in, a line out.
 *
 * The scanner knows just enough JSON for this: it steps over values, and finds the value of a key of an object.
 * Whatever is not understood ends the program, which refsim reports.
 */
#include "tile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct handle {
    long number;
    size_t rank, shape[8]; /* of the last batch */
    tile_t *tile;
    struct handle *next;
} handle_t;

typedef struct {
    size_t rank, shape[8], count;
    float *values;
} array_t;

static handle_t *handles = NULL;
static long request = 0;

static void fail(const char *what)
{
    fprintf(stderr, "request %ld is not understood: %s\n", request, what);
    exit(1);
}

/* ----- JSON */

static const char *blank(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

static const char *after_text(const char *p)
{
    for (p++; *p != '"'; p++) {
        if (!*p)
            fail("a text does not end");
        if (*p == '\\' && p[1])
            p++;
    }
    return p + 1;
}

/* What follows a value. */
static const char *after(const char *p)
{
    int depth = 0;
    do {
        p = blank(p);
        if (*p == '"')
            p = after_text(p);
        else if (strchr("{[", *p) && *p)
            depth++, p++;
        else if (strchr("}]", *p) && *p)
            depth--, p++;
        else if (strchr(",:", *p) && *p && depth)
            p++;
        else if (*p)
            p += strcspn(p, ",:]} \t\r\n");
        else
            fail("a value does not end");
    } while (depth > 0);
    return p;
}

static bool is(const char *p, const char *text)
{
    size_t length = strlen(text);
    return *p == '"' && !strncmp(p + 1, text, length) && p[length + 1] == '"';
}

/* The value of a key, NULL if the object does not have it. */
static const char *find(const char *object, const char *key)
{
    if (!object || *(object = blank(object)) != '{')
        fail("an object is missing");
    const char *p = blank(object + 1);
    while (*p == '"') {
        const char *value = blank(after_text(p));
        value = blank(value + (*value == ':'));
        if (is(p, key))
            return value;
        p = blank(after(value));
        p = blank(p + (*p == ','));
    }
    return NULL;
}

static const char *need(const char *object, const char *key)
{
    const char *value = find(object, key);
    if (!value)
        fail(key);
    return value;
}

static double number(const char *object, const char *key)
{
    const char *p = need(object, key);
    return strtod(p + (*p == '"'), NULL); /* infinities are texts */
}

static bool flag(const char *object, const char *key)
{
    return *need(object, key) == 't';
}

static array_t array(const char *p)
{
    array_t a = {0, {0}, 1, NULL};
    if (!is(need(p, "dtype"), "float32"))
        fail("an array is not in float32");
    char *end = (char *)blank(need(p, "shape") + 1);
    while (*end != ']' && a.rank < 8) {
        a.shape[a.rank] = strtoul(end, &end, 10);
        a.count *= a.shape[a.rank++];
        end += strspn(end, ", ");
    }
    a.values = checked(calloc(a.count + 1, sizeof(float)));
    end = (char *)blank(need(p, "values") + 1);
    for (size_t k = 0; k < a.count; k++) {
        a.values[k] = strtof(end, &end);
        end += strspn(end, ", ");
    }
    if (*end != ']')
        fail("an array has more or fewer values than its shape says");
    return a;
}

static void put(const char *name, size_t rank, const size_t *shape, const float *values, bool *more)
{
    size_t count = 1;
    printf("%s\"%s\":{\"dtype\":\"float32\",\"shape\":[", *more ? "," : "", name);
    for (size_t k = 0; k < rank; k++) {
        printf(k ? ",%zu" : "%zu", shape[k]);
        count *= shape[k];
    }
    printf("],\"values\":[");
    for (size_t k = 0; k < count; k++) {
        fputs(k ? "," : "", stdout);
        if (isfinite(values[k]))
            printf("%.9g", values[k]);
        else
            printf("\"%s\"", isnan(values[k]) ? "nan" : values[k] > 0 ? "inf" : "-inf");
    }
    printf("]}");
    *more = true;
}

/* ----- configurations */

static void refuse(const char *what)
{
    printf("{\"id\":%ld,\"error\":{\"kind\":\"unsupported\",\"text\":\"the C tile has no %s\"}}\n", request, what);
}

/* What a configuration asks for and this tile does not have; NULL if there is nothing. */
static const char *missing(const char *config, const char *state)
{
    const char *io = need(config, "forward"), *range = need(need(config, "pre_post"), "input_range");
    const char *none = "None", *mapping = need(config, "mapping");
    if (!is(need(config, "class"), "TorchInferenceRPUConfig"))
        return "such class of tiles";
    if (!is(need(need(config, "runtime"), "data_type"), "float"))
        return "such data type";
    if (!is(need(need(config, "modifier"), "type"), none))
        return "weight modifier";
    if (!is(need(need(config, "clip"), "type"), none) || !is(need(need(config, "remap"), "type"), none))
        return "step after an update";
    if (flag(mapping, "learn_out_scaling") || number(mapping, "weight_scaling_omega") != 0 ||
        find(state, "mapping_scales"))
        return "scales of outputs";
    if (flag(range, "enable") && (flag(range, "manage_output_clipping") || number(range, "init_from_data") > 0))
        return "such start or growth of the range";
    if (!is(need(need(config, "choices"), "gradient_scale_applies"), "always"))
        return "such choice";
    if (flag(io, "is_perfect"))
        return NULL;
    if (!is(need(io, "noise_management"), none) || !is(need(io, "bound_management"), none))
        return "management";
    if (number(io, "inp_noise") > 0 || number(io, "out_noise") > 0 || flag(io, "inp_sto_round") ||
        flag(io, "out_sto_round"))
        return "noise";
    if (number(io, "inp_asymmetry") != 0 || number(io, "out_asymmetry") != 0)
        return "asymmetry";
    return NULL;
}

/* Settings are combined in double and rounded once. */
static float step(const char *io, const char *res, const char *bound)
{
    double r = number(io, res);
    return r <= 0 ? 0 : (float)((r > 1 ? 1 / r : r) * 2 * fabs(number(io, bound)));
}

static float limit(const char *io, const char *bound)
{
    double b = number(io, bound);
    return b > 0 ? (float)b : INFINITY;
}

static settings_t settings(const char *config)
{
    const char *io = need(config, "forward"), *range = need(need(config, "pre_post"), "input_range");
    settings_t s = {
        .perfect = flag(io, "is_perfect"),
        .inp_step = step(io, "inp_res", "inp_bound"),
        .inp_bound = limit(io, "inp_bound"),
        .out_step = step(io, "out_res", "out_bound"),
        .out_bound = limit(io, "out_bound"),
        .out_scale = (float)number(io, "out_scale"),
        .ranged = flag(range, "enable"),
        .learned = flag(range, "learn_input_range"),
        .relative = flag(range, "gradient_relative"),
        .rule_scale = (float)number(range, "gradient_scale"),
        .decay = (float)number(range, "decay"),
        .min_fraction = (float)number(range, "input_min_percentage"),
    };
    return s;
}

/* ----- operations */

static handle_t *handle(const char *line)
{
    long wanted = (long)number(line, "handle");
    for (handle_t *h = handles; h; h = h->next)
        if (h->number == wanted)
            return h;
    fail("there is no such tile");
    return NULL;
}

static void set(parameter_t *p, const char *value)
{
    array_t a = array(value);
    if (a.count != p->size)
        fail("an array has another size than its parameter");
    memcpy(p->value, a.values, a.count * sizeof(float));
    free(a.values);
}

static bool create(const char *line)
{
    const char *config = need(line, "config"), *state = need(line, "state"), *bias = need(line, "bias");
    const char *lacking = missing(config, state), *range = find(state, "input_range");
    if (lacking) {
        refuse(lacking);
        return false;
    }
    array_t weight = array(need(line, "weight"));
    handle_t *h = checked(calloc(1, sizeof(handle_t)));
    h->number = (long)number(line, "handle");
    h->tile = new_tile(settings(config), weight.shape[0], weight.shape[1], *bias == '{');
    h->next = handles;
    handles = h;
    free(weight.values);
    set(&h->tile->weight, need(line, "weight"));
    if (h->tile->has_bias)
        set(&h->tile->bias, bias);
    h->tile->range.value[0] = (float)number(need(need(config, "pre_post"), "input_range"), "init_value");
    if (range)
        set(&h->tile->range, range);
    return true;
}

static void put_state(const tile_t *tile)
{
    bool more = false;
    size_t shape[] = {tile->out, tile->in}, one = 1;
    printf("\"state\":{");
    put("weight", 2, shape, tile->weight.value, &more);
    if (tile->has_bias)
        put("bias", 1, &tile->out, tile->bias.value, &more);
    if (tile->s.ranged)
        put("input_range", 1, &one, tile->range.value, &more);
    printf("}");
}

static void put_gradients(const handle_t *h)
{
    bool more = false;
    const tile_t *tile = h->tile;
    size_t shape[] = {tile->out, tile->in}, one = 1;
    printf("\"gradients\":{");
    put("input", h->rank, h->shape, tile->input_gradient, &more);
    put("weight", 2, shape, tile->weight.gradient, &more);
    if (tile->has_bias)
        put("bias", 1, &tile->out, tile->bias.gradient, &more);
    if (tile->range.gradient)
        put("input_range", 1, &one, tile->range.gradient, &more);
    printf("}");
}

static void put_stages(const tile_t *tile)
{
    bool more = false;
    size_t in[] = {tile->rows, tile->in}, out[] = {tile->rows, tile->out};
    printf("\"stages\":{");
    put("scaled_input", 2, in, tile->v, &more);
    put("product", 2, out, tile->m, &more);
    if (!tile->s.perfect) {
        put("rounded_input", 2, in, tile->q, &more);
        put("rounded_output", 2, out, tile->t, &more);
    }
    printf("}");
}

static void pass_forward(const char *line)
{
    handle_t *h = handle(line);
    array_t x = array(need(line, "x"));
    size_t shape[8];
    bool more = false;
    if (!x.rank || x.shape[x.rank - 1] != h->tile->in)
        fail("x has a wrong shape");
    h->rank = x.rank;
    memcpy(h->shape, x.shape, sizeof h->shape);
    forward(h->tile, x.values, x.count / h->tile->in);
    memcpy(shape, x.shape, sizeof shape);
    shape[x.rank - 1] = h->tile->out;
    put("output", x.rank, shape, h->tile->y, &more);
    free(x.values);
}

static void pass_backward(const char *line)
{
    handle_t *h = handle(line);
    array_t dy = array(need(line, "dy"));
    if (!h->tile->x || dy.count != h->tile->rows * h->tile->out)
        fail("dy has a wrong shape");
    backward(h->tile, dy.values);
    put_gradients(h);
    free(dy.values);
}

static void close_tile(const char *line)
{
    handle_t *gone = handle(line), **place = &handles;
    while (*place != gone)
        place = &(*place)->next;
    *place = gone->next;
    free_tile(gone->tile);
    free(gone);
}

/* Answer a request; false if it was the last one. */
static bool answer(const char *line)
{
    const char *op = need(line, "op");
    request = (long)number(line, "id");
    if (is(op, "create") && !create(line))
        return true;
    printf("{\"id\":%ld,\"result\":{", request);
    if (is(op, "hello"))
        printf("\"protocol\":1,\"name\":\"C tile\",\"version\":\"1\",\"arrays\":\"values\","
               "\"methods\":[\"stages\",\"close\"]");
    else if (is(op, "forward"))
        pass_forward(line);
    else if (is(op, "backward"))
        pass_backward(line);
    else if (is(op, "step"))
        sgd_step(handle(line)->tile, number(line, "lr"), number(line, "momentum"), number(line, "dampening"),
                 number(line, "weight_decay"), flag(line, "nesterov"));
    else if (is(op, "state"))
        put_state(handle(line)->tile);
    else if (is(op, "stages"))
        put_stages(handle(line)->tile);
    else if (is(op, "close"))
        close_tile(line);
    else if (!is(op, "create") && !is(op, "bye"))
        fail("an operation");
    printf("}}\n");
    return !is(op, "bye");
}

/* A line of any length, NULL at the end of the input. */
static char *next_line(void)
{
    static char *line = NULL;
    static size_t room = 0;
    size_t length = 0;
    int c;
    do {
        if (length == room)
            line = checked(realloc(line, room = 2 * room + 4096));
        c = getchar();
        line[length++] = c == EOF || c == '\n' ? '\0' : (char)c;
    } while (c != EOF && c != '\n');
    return c == EOF ? NULL : line;
}

int main(void)
{
    for (char *line; (line = next_line());) {
        bool going = answer(line);
        fflush(stdout);
        if (!going)
            break;
    }
    return 0;
}
