/* An external delegate that computes nothing, for tests: it loads, reads options, and can reject a model, fail or hang.

   Without options it claims no operator, so the interpreter computes as if it were not there. Options:
     log=PATH        append "create key=value ...", "prepare", "invoke", "destroy" to a file
     fail=create     refuse to be made, with a message        fail=prepare   refuse the model
     fail_after=N    claim every operator; the first N runs leave the outputs as they are, later ones fail, as when a device is pulled out
     hang_after=N    the same, and later runs never return

   Only the beginning of each struct is declared, as laid out in tensorflow/lite/core/c/common.h, whose structs only grow at their end. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, ERROR = 1 };
typedef struct { int size; int data[]; } IntArray;
typedef struct Context Context;
typedef struct Delegate Delegate;
typedef struct {
  void *(*init)(Context *, const char *, size_t);
  void (*free)(Context *, void *);
  int (*prepare)(Context *, void *);
  int (*invoke)(Context *, void *);
  const char *(*profiling_string)(Context *, const void *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *later_fields[8];
} Registration;
struct Context {
  size_t tensors_size;
  int (*get_execution_plan)(Context *, IntArray **);
  void *tensors, *impl;
  void *resize_tensor;
  void (*report_error)(Context *, const char *, ...);
  void *add_tensors, *get_node_and_registration;
  int (*replace_nodes)(Context *, Registration, const IntArray *, Delegate *);
};
struct Delegate {
  void *data;
  int (*prepare)(Context *, Delegate *);
  void *copy_from_buffer, *copy_to_buffer, *free_buffer;
  int64_t flags;
  void *opaque_builder;
};
typedef struct { Delegate delegate; char log[512]; int refuses_model, last_good, hangs, claims, runs; } Noop;

static Noop *current; /* a kernel's init gets its delegate in no declared field */

static void note(Noop *noop, const char *text) {
  FILE *file = noop->log[0] ? fopen(noop->log, "a") : NULL;
  if (file) { fprintf(file, "%s\n", text); fclose(file); }
}

static void *kernel_init(Context *context, const char *params, size_t length) { (void)context; (void)params; (void)length; return current; }

static int kernel_invoke(Context *context, void *node) {
  (void)node;
  Noop *noop = current;
  note(noop, "invoke");
  if (noop->runs++ < noop->last_good) return OK;
  while (noop->hangs) sleep(1);
  context->report_error(context, "the device is gone");
  return ERROR;
}

static int prepare(Context *context, Delegate *delegate) {
  Noop *noop = delegate->data;
  note(noop, "prepare");
  if (noop->refuses_model) { context->report_error(context, "this model is not for this device"); return ERROR; }
  if (!noop->claims) return OK;
  IntArray *plan;
  if (context->get_execution_plan(context, &plan) != OK) return ERROR;
  IntArray *nodes = malloc(sizeof(IntArray) + sizeof(int) * plan->size);
  memcpy(nodes, plan, sizeof(IntArray) + sizeof(int) * plan->size);
  Registration kernel = {0};
  kernel.init = kernel_init; kernel.invoke = kernel_invoke; kernel.custom_name = "noop"; kernel.version = 1;
  current = noop;
  int status = context->replace_nodes(context, kernel, nodes, delegate);
  free(nodes);
  return status;
}

Delegate *tflite_plugin_create_delegate(const char *const *keys, const char *const *values, size_t count, void (*report)(const char *)) {
  Noop *noop = calloc(1, sizeof *noop);
  char line[2048] = "create";
  for (size_t index = 0; index < count; index++) {
    const char *key = keys[index], *value = values[index];
    snprintf(line + strlen(line), sizeof line - strlen(line), " %s=%s", key, value);
    if (!strcmp(key, "log")) snprintf(noop->log, sizeof noop->log, "%s", value);
    if (!strcmp(key, "fail") && !strcmp(value, "create")) { report("no such device"); free(noop); return NULL; }
    if (!strcmp(key, "fail") && !strcmp(value, "prepare")) noop->refuses_model = 1;
    if (!strcmp(key, "fail_after") || !strcmp(key, "hang_after")) { noop->claims = 1; noop->last_good = atoi(value); noop->hangs = key[0] == 'h'; }
  }
  note(noop, line);
  noop->delegate.data = noop;
  noop->delegate.prepare = prepare;
  return &noop->delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {
  if (!delegate) return;
  note(delegate->data, "destroy");
  free(delegate->data);
}
