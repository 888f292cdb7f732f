// SPDX-License-Identifier: Apache-2.0
// Python: a handle is an object of the C type Handle, or of the class that the package puts into `classes[kind]`; it frees the library's handle when it goes. Results
// come in the order of the out-arguments, one alone or several as a list; a failed call raises the class that `errors[status]` has, or Error, with the error's fields
// as attributes. A call that may wait lets other Python threads run, and Ctrl-C end it. `mode` may be None: the calling thread's, which set_mode changes.
%{
#include <stddef.h>
#include "kinds.h"
typedef struct { PyObject_HEAD void *handle; PyObject *weak; } flx_py_object;
static void flx_py_dealloc(PyObject *o) {
  flx_py_object *self = (flx_py_object *)o;
  if (self->weak) PyObject_ClearWeakRefs(o);
  if (self->handle) {
    int64_t count;
    flx_free(self->handle);
    if (Py_IsInitialized()) flx_dlpack_collect(&count); /* memory of other libraries that it was the last to use */
  }
  Py_TYPE(o)->tp_free(o);
}
static PyObject *flx_py_repr(PyObject *o) {
  const char *kind = "";
  flx_handle_kind(((flx_py_object *)o)->handle, &kind);
  return PyUnicode_FromFormat("<%s: %s>", Py_TYPE(o)->tp_name, *kind ? kind : "freed");
}
static PyObject *flx_py_take(PyTypeObject *cls, PyObject *args, PyObject *options);
static PyTypeObject flx_py_type = {
  PyVarObject_HEAD_INIT(NULL, 0) .tp_name = "_flexor.Handle", .tp_basicsize = sizeof(flx_py_object), .tp_dealloc = flx_py_dealloc, .tp_repr = flx_py_repr,
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, .tp_weaklistoffset = offsetof(flx_py_object, weak), .tp_new = flx_py_take,
  .tp_doc = "Handle(other): what the library gave, taken over from the handle `other`, which is null from then on. It is freed with the object."};
/* An array's elements as memory: of a copy, which its method _buffer makes, so that nothing of the library's is held. */
static int flx_py_buffer(PyObject *o, Py_buffer *view, int flags) {
  PyObject *copy = PyObject_CallMethod(o, "_buffer", NULL);
  int failed = !copy || PyObject_GetBuffer(copy, view, flags);
  if (failed) view->obj = NULL;
  Py_XDECREF(copy);
  return failed ? -1 : 0;
}
static PyBufferProcs flx_py_buffer_procs = {flx_py_buffer, NULL};
static PyTypeObject flx_py_array_type = {
  PyVarObject_HEAD_INIT(NULL, 0) .tp_name = "_flexor.ArrayHandle", .tp_basicsize = sizeof(flx_py_object), .tp_base = &flx_py_type, .tp_as_buffer = &flx_py_buffer_procs,
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, .tp_doc = "A Handle of elements; a subclass's method _buffer() gives them as an object with a buffer."};
/* What the package may put its own classes into: kind -> a subclass of Handle; status -> an exception class. */
static PyObject *flx_py_classes, *flx_py_errors, *flx_py_error;
#define FLX_PY_KIND(K) static PyObject *flx_py_kind_##K;
FLX_KINDS(FLX_PY_KIND)
static __thread int32_t flx_py_mode;

static PyObject *flx_py_take(PyTypeObject *cls, PyObject *args, PyObject *options) {
  PyObject *other = NULL, *o;
  if (!PyArg_ParseTuple(args, "|O!:Handle", &flx_py_type, &other)) return NULL;
  if (options && PyDict_GET_SIZE(options)) { PyErr_SetString(PyExc_TypeError, "Handle takes no named argument"); return NULL; }
  o = cls->tp_alloc(cls, 0);
  if (o && other) {
    ((flx_py_object *)o)->handle = ((flx_py_object *)other)->handle;
    ((flx_py_object *)other)->handle = NULL;
  }
  return o;
}
static PyObject *flx_py_new(PyObject *kind, void *h) {
  PyObject *cls, *o;
  if (!h) { Py_INCREF(Py_None); return Py_None; }
  cls = PyDict_GetItem(flx_py_classes, kind);
  if (cls && (!PyType_Check(cls) || !PyType_IsSubtype((PyTypeObject *)cls, &flx_py_type))) {
    flx_free(h);
    return PyErr_Format(PyExc_TypeError, "classes[%R] is no subclass of Handle: %R", kind, cls);
  }
  o = cls ? ((PyTypeObject *)cls)->tp_alloc((PyTypeObject *)cls, 0) : flx_py_type.tp_alloc(&flx_py_type, 0);
  if (o) ((flx_py_object *)o)->handle = h; else flx_free(h);
  return o;
}
static int flx_py_handle(PyObject *o, void **h) {
  if (PyObject_TypeCheck(o, &flx_py_type)) { *h = ((flx_py_object *)o)->handle; return 0; }
  *h = NULL;
  if (o == Py_None) return 0;
  PyErr_Format(PyExc_TypeError, "a Flexor handle was expected, given %s", Py_TYPE(o)->tp_name);
  return -1;
}
static PyObject *flx_py_text(const char *t) { if (t) return PyUnicode_DecodeUTF8(t, (Py_ssize_t)strlen(t), "backslashreplace"); Py_INCREF(Py_None); return Py_None; }
static PyObject *flx_py_bytes(const char *t, int64_t n) { if (t) return PyBytes_FromStringAndSize(t, (Py_ssize_t)n); Py_INCREF(Py_None); return Py_None; }
static void flx_py_raise(flx_status status) {
  static const char *const fields[] = {"kind", "operator", "node", "origin", "hint", "file", "offset"};
  PyObject *number = PyLong_FromLong(status), *cls = number ? PyDict_GetItem(flx_py_errors, number) : NULL;
  PyObject *message = flx_py_text(flx_last_error()), *value[7], *e;
  int i, ok = number && message;
  for (i = 0; i < 7; ++i) {
    const char *t = flx_last_error_field(fields[i]);
    value[i] = i == 6 ? (*t ? PyLong_FromString(t, NULL, 10) : flx_py_text(NULL)) : flx_py_text(t);
    ok = ok && value[i];
  }
  e = ok ? PyObject_CallFunctionObjArgs(cls ? cls : flx_py_error, message, NULL) : NULL;
  ok = e && !PyObject_SetAttrString(e, "status", number);
  for (i = 0; i < 7; ++i) {
    ok = ok && !PyObject_SetAttrString(e, fields[i], value[i]);
    Py_XDECREF(value[i]);
  }
  if (ok) PyErr_SetObject((PyObject *)Py_TYPE(e), e);
  Py_XDECREF(e); Py_XDECREF(message); Py_XDECREF(number);
}
static PyObject *flx_py_mode_get(PyObject *m, PyObject *none) { return PyLong_FromLong(flx_py_mode); }
static PyObject *flx_py_mode_set(PyObject *m, PyObject *bits) {
  long old = flx_py_mode, v = PyLong_AsLong(bits);
  if (v == -1 && PyErr_Occurred()) return NULL;
  flx_py_mode = (int32_t)v;
  return PyLong_FromLong(old);
}
static PyObject *flx_py_mode_change(PyObject *m, PyObject *const *args, Py_ssize_t n) {
  long old = flx_py_mode, set = n == 2 ? PyLong_AsLong(args[0]) : 0, clear = n == 2 ? PyLong_AsLong(args[1]) : 0;
  if (n != 2) PyErr_SetString(PyExc_TypeError, "change_mode(set, clear)");
  if (PyErr_Occurred()) return NULL;
  flx_py_mode = (int32_t)((old & ~clear) | set);
  return PyLong_FromLong(old);
}
/* FLEXOR_ORIGIN: the package's folder, null if the option is off. On, each call tells the library its line: the innermost in a file outside of that folder. */
static PyObject *flx_py_home;
static void flx_py_origin(void) {
  PyFrameObject *frame = PyEval_GetFrame();
  PyObject *text = NULL;
  Py_XINCREF(frame);
  while (frame && !text) {
    PyCodeObject *code = PyFrame_GetCode(frame);
    PyFrameObject *caller = PyFrame_GetBack(frame);
    if (PyUnicode_Tailmatch(code->co_filename, flx_py_home, 0, PY_SSIZE_T_MAX, -1) != 1) text = PyUnicode_FromFormat("%U:%d", code->co_filename, PyFrame_GetLineNumber(frame));
    Py_DECREF(code);
    Py_DECREF(frame);
    frame = caller;
  }
  Py_XDECREF(frame);
  flx_origin_set(text ? PyUnicode_AsUTF8(text) : NULL);
  Py_XDECREF(text);
  PyErr_Clear(); /* a file whose name is no text */
}
static PyObject *flx_py_origins(PyObject *m, PyObject *home) {
  if (home != Py_None && !PyUnicode_Check(home)) return PyErr_Format(PyExc_TypeError, "origins(folder or None)");
  Py_XDECREF(flx_py_home);
  flx_py_home = home == Py_None ? NULL : home;
  Py_XINCREF(flx_py_home);
  Py_RETURN_NONE;
}
static PyObject *flx_py_same(PyObject *m, PyObject *o) { /* the handle's value, for hashes and for tests */
  void *h;
  return flx_py_handle(o, &h) ? NULL : PyLong_FromVoidPtr(h);
}
static PyObject *flx_py_dtype(PyObject *m, PyObject *o) { /* describe without a shape to make */
  void *h;
  int32_t dtype = -1, ndim = 0;
  int64_t dims[FLX_MAX_NDIM];
  flx_status status;
  if (flx_py_handle(o, &h)) return NULL;
  if ((status = flx_ndarray_describe(h, &dtype, dims, FLX_MAX_NDIM, &ndim))) { flx_py_raise(status); return NULL; }
  return PyLong_FromLong(dtype);
}
static PyObject *flx_py_find(PyObject *m, PyObject *const *args, Py_ssize_t n) { /* equal values of other types (1, True, 1.0) are others */
  PyObject *kept;
  if (n != 2 || !PyDict_Check(args[0]) || !PyTuple_Check(args[1])) { PyErr_SetString(PyExc_TypeError, "find(dict, tuple)"); return NULL; }
  kept = PyDict_GetItemWithError(args[0], args[1]);
  if (kept && PyTuple_Check(kept) && PyTuple_GET_SIZE(kept) == 2 && PyTuple_Check(PyTuple_GET_ITEM(kept, 0))) {
    PyObject *values = PyTuple_GET_ITEM(kept, 0), *call = PyTuple_GET_ITEM(kept, 1);
    Py_ssize_t i = PyTuple_GET_SIZE(values);
    if (i == PyTuple_GET_SIZE(args[1]))
      while (i > 0 && Py_TYPE(PyTuple_GET_ITEM(values, i - 1)) == Py_TYPE(PyTuple_GET_ITEM(args[1], i - 1))) --i;
    if (!i) { Py_INCREF(call); return call; }
  }
  if (PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) return NULL;
    PyErr_Clear(); /* a value that cannot be a key */
  }
  Py_INCREF(Py_None);
  return Py_None;
}
/* Memory of a mapping for memoryview; it keeps `owner`. */
typedef struct { PyObject_HEAD void *address; Py_ssize_t nbytes; int readonly; PyObject *owner; } flx_py_memory_object;
static void flx_py_memory_dealloc(PyObject *o) { Py_XDECREF(((flx_py_memory_object *)o)->owner); PyObject_Free(o); }
static int flx_py_memory_buffer(PyObject *o, Py_buffer *view, int flags) {
  flx_py_memory_object *m = (flx_py_memory_object *)o;
  return PyBuffer_FillInfo(view, o, m->address, m->nbytes, m->readonly, flags);
}
static PyBufferProcs flx_py_memory_procs = {flx_py_memory_buffer, NULL};
static PyTypeObject flx_py_memory_type = {PyVarObject_HEAD_INIT(NULL, 0) .tp_name = "_flexor.Memory", .tp_basicsize = sizeof(flx_py_memory_object),
  .tp_dealloc = flx_py_memory_dealloc, .tp_flags = Py_TPFLAGS_DEFAULT, .tp_as_buffer = &flx_py_memory_procs, .tp_doc = "Memory that another object keeps"};
static PyObject *flx_py_memory_of(PyObject *m, PyObject *args) {
  long long address, nbytes;
  int readonly;
  PyObject *owner;
  flx_py_memory_object *o;
  if (!PyArg_ParseTuple(args, "LLpO:memory", &address, &nbytes, &readonly, &owner)) return NULL;
  if (!(o = PyObject_New(flx_py_memory_object, &flx_py_memory_type))) return NULL;
  o->address = (void *)(intptr_t)address; o->nbytes = (Py_ssize_t)nbytes; o->readonly = readonly; o->owner = owner;
  Py_INCREF(owner);
  return (PyObject *)o;
}
/* DLPack's tensors, as far as a capsule that nobody took has to know them. */
struct flx_dl_legacy { char tensor[48]; void *context; void (*deleter)(struct flx_dl_legacy *); };
struct flx_dl_versioned { uint32_t version[2]; void *context; void (*deleter)(struct flx_dl_versioned *); };
static void flx_py_capsule_free(PyObject *c) {
  if (PyCapsule_IsValid(c, "dltensor")) {
    struct flx_dl_legacy *t = PyCapsule_GetPointer(c, "dltensor");
    if (t->deleter) t->deleter(t);
  } else if (PyCapsule_IsValid(c, "dltensor_versioned")) {
    struct flx_dl_versioned *t = PyCapsule_GetPointer(c, "dltensor_versioned");
    if (t->deleter) t->deleter(t);
  }
}
static PyObject *flx_py_capsule(PyObject *m, PyObject *args) {
  long long address;
  int versioned;
  if (!PyArg_ParseTuple(args, "Lp:capsule", &address, &versioned)) return NULL;
  return PyCapsule_New((void *)(intptr_t)address, versioned ? "dltensor_versioned" : "dltensor", flx_py_capsule_free);
}
static PyObject *flx_py_capsule_address(PyObject *m, PyObject *c) {
  int versioned = PyCapsule_IsValid(c, "dltensor_versioned");
  if (!versioned && !PyCapsule_IsValid(c, "dltensor")) {
    PyErr_SetString(PyExc_ValueError, "a DLPack capsule was expected that nobody has taken yet");
    return NULL;
  }
  return Py_BuildValue("(LO)", (long long)(intptr_t)PyCapsule_GetPointer(c, versioned ? "dltensor_versioned" : "dltensor"), versioned ? Py_True : Py_False);
}
static PyObject *flx_py_capsule_used(PyObject *m, PyObject *c) {
  if (PyCapsule_SetName(c, PyCapsule_IsValid(c, "dltensor_versioned") ? "used_dltensor_versioned" : "used_dltensor")) return NULL;
  Py_RETURN_NONE;
}
static PyMethodDef flx_py_more[] = {
  {"memory", flx_py_memory_of, METH_VARARGS, "memory(address, nbytes, readonly, owner): an object with these bytes as its buffer"},
  {"capsule", flx_py_capsule, METH_VARARGS, "capsule(address, versioned): a DLPack tensor for another library"},
  {"capsule_address", flx_py_capsule_address, METH_O, "capsule_address(capsule) -> (address, versioned)"},
  {"capsule_used", flx_py_capsule_used, METH_O, "capsule_used(capsule): its tensor was taken over"},
  {"dtype", flx_py_dtype, METH_O, "dtype(array) -> int: what flx_ndarray_describe says first"},
  {"find", (PyCFunction)(void (*)(void))flx_py_find, METH_FASTCALL, "find(kept, values): kept[values][1] if kept[values][0] has the same types, too; else None"},
  {"mode", flx_py_mode_get, METH_NOARGS, "mode() -> int: the bits (FLX_RECORD, FLX_TRAIN ...) that calls of this thread with mode None have"},
  {"set_mode", flx_py_mode_set, METH_O, "set_mode(bits) -> int: sets them, and gives those before"},
  {"change_mode", (PyCFunction)(void (*)(void))flx_py_mode_change, METH_FASTCALL, "change_mode(set, clear) -> int: sets and clears bits, and gives those before"},
  {"origins", flx_py_origins, METH_O, "origins(folder or None): calls tell the library the line outside of `folder` that led to them, or do not"},
  {"value", flx_py_same, METH_O, "value(handle) -> int: the opaque number that the library knows it by, 0 for a null handle"},
  {NULL, NULL, 0, NULL}};

static const char *flx_py_utf8(PyObject *o) {
  Py_ssize_t n = 0;
  const char *t = PyUnicode_AsUTF8AndSize(o, &n);
  if (t && (Py_ssize_t)strlen(t) != n) { PyErr_SetString(PyExc_ValueError, "a text with a null character"); t = NULL; }
  return t;
}
static int flx_py_int32(PyObject *o, int32_t *out) {
  long v = PyLong_AsLong(o);
  if (v == -1 && PyErr_Occurred()) return -1;
  if (v < INT32_MIN || v > INT32_MAX) { PyErr_Format(PyExc_OverflowError, "%ld does not fit into 32 bits", v); return -1; }
  *out = (int32_t)v;
  return 0;
}
/* A sequence as a new C array; what: 'h' handles, 'i' int64, 'd' double, 's' texts, which live as long as `*keep`. */
static int flx_py_list(PyObject *o, char what, void **out, int32_t *n, PyObject **keep) {
  PyObject *seq = PySequence_Tuple(o); /* a copy that nobody else changes */
  Py_ssize_t i, size = seq ? PyTuple_GET_SIZE(seq) : 0;
  *keep = seq;
  if (!seq) return -1;
  if (size > FLX_MAX_COUNT) size = FLX_MAX_COUNT + 1; /* the library says that it is too many */
  *n = (int32_t)size;
  if (!(*out = malloc((size_t)size * 8 + 8))) { PyErr_NoMemory(); return -1; }
  for (i = 0; i < size; ++i) {
    PyObject *item = PyTuple_GET_ITEM(seq, i);
    if (what == 'h') { if (flx_py_handle(item, (void **)*out + i)) return -1; }
    else if (what == 's') { if (!(((const char **)*out)[i] = flx_py_utf8(item))) return -1; }
    else if (what == 'd') { if ((((double *)*out)[i] = PyFloat_AsDouble(item)) == -1 && PyErr_Occurred()) return -1; }
    else if ((((int64_t *)*out)[i] = PyLong_AsLongLong(item)) == -1 && PyErr_Occurred()) return -1;
  }
  return 0;
}
static PyObject *flx_py_tuple(const void *p, int32_t n, char what) {
  PyObject *t = PyTuple_New(n);
  for (int32_t i = 0; t && i < n; ++i) {
    PyObject *item = what == 'h' ? flx_py_new(flx_py_kind_ndarray, ((void *const *)p)[i]) : PyLong_FromLongLong(((const int64_t *)p)[i]);
    if (!item) { Py_DECREF(t); t = NULL; for (++i; what == 'h' && i < n; ++i) flx_free(((void *const *)p)[i]); break; }
    PyTuple_SET_ITEM(t, i, item);
  }
  return t;
}
static int flx_py_memory(PyObject *o, int flags, Py_buffer *view, void **data, int64_t *n) {
  if (PyObject_GetBuffer(o, view, PyBUF_ANY_CONTIGUOUS | flags)) return -1;
  *data = view->buf ? view->buf : (void *)""; /* not null: that is how freearg knows */
  *n = view->len;
  return 0;
}
%}
%init %{
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    PyErr_SetString(PyExc_ImportError, "flexor works in the main interpreter only; use threads or processes in the place of subinterpreters");
    return NULL;
  }
  if (flx_abi_require(FLX_ABI_VERSION)) {
    PyErr_SetString(PyExc_ImportError, flx_last_error());
    return NULL;
  }
  flx_py_errors = PyDict_New();
  flx_py_error = PyErr_NewExceptionWithDoc("flexor.Error", "A call of the library failed.", PyExc_RuntimeError, NULL);
  PyModule_AddObject(m, "errors", flx_py_errors);
  PyModule_AddObject(m, "Error", flx_py_error);
  flx_py_classes = PyDict_New();
  PyModule_AddObject(m, "classes", flx_py_classes);
#define FLX_PY_NAME(K) flx_py_kind_##K = PyUnicode_InternFromString(#K);
  FLX_KINDS(FLX_PY_NAME)
  if (PyType_Ready(&flx_py_type) || PyType_Ready(&flx_py_array_type) || PyType_Ready(&flx_py_memory_type) || PyModule_AddFunctions(m, flx_py_more)) return NULL;
  Py_INCREF(&flx_py_type);
  PyModule_AddObject(m, "Handle", (PyObject *)&flx_py_type);
  Py_INCREF(&flx_py_array_type);
  PyModule_AddObject(m, "ArrayHandle", (PyObject *)&flx_py_array_type);
  Py_INCREF(&flx_py_memory_type);
  PyModule_AddObject(m, "Memory", (PyObject *)&flx_py_memory_type);
%}
%exception {
  struct flx_wait wait = flx_wait_take();
  const int traced = flx_py_home != NULL;
  if (traced) flx_py_origin();
  for (;;) {
    PyThreadState *thread = wait.slice ? PyEval_SaveThread() : NULL;
    $action
    if (!thread) break;
    PyEval_RestoreThread(thread);
    if (!flx_wait_more(&wait)) break;
    if (PyErr_CheckSignals()) { if (traced) flx_origin_set(NULL); SWIG_fail; }
    flx_wait_again(&wait);
  }
  if (traced) flx_origin_set(NULL);
}
%typemap(out) flx_status { if ($1) { flx_py_raise($1); SWIG_fail; } Py_INCREF(Py_None); $result = Py_None; }
%typemap(out) const char * { $result = flx_py_text($1); }

%define FLX_KIND(K)
%typemap(in) flx_##K { if (flx_py_handle($input, (void **)&$1)) SWIG_fail; }
%typemap(in, numinputs=0) flx_##K * (flx_##K temp = NULL) { $1 = &temp; }
%typemap(argout) flx_##K * { $result = SWIG_Python_AppendOutput($result, flx_py_new(flx_py_kind_##K, *$1)); }
%enddef
%typemap(in) void *handle { if (flx_py_handle($input, &$1)) SWIG_fail; }
/* Numbers: also NumPy's, by __index__ and __float__. */
%typemap(in) int64_t { if (($1 = PyLong_AsLongLong($input)) == -1 && PyErr_Occurred()) SWIG_fail; }
%typemap(in) double { if (($1 = PyFloat_AsDouble($input)) == -1 && PyErr_Occurred()) SWIG_fail; }
%typemap(in) int32_t { if (flx_py_int32($input, &$1)) SWIG_fail; }
%typemap(in) int32_t mode { if ($input == Py_None) $1 = flx_py_mode; else if (flx_py_int32($input, &$1)) SWIG_fail; }
%typemap(in) const char *path (PyObject *keep = NULL) { /* a text, bytes or os.PathLike */
  if ($input == Py_None) $1 = NULL;
  else if (!(keep = PyOS_FSPath($input)) || !($1 = ($1_ltype)(PyBytes_Check(keep) ? PyBytes_AS_STRING(keep) : flx_py_utf8(keep)))) SWIG_fail;
}
%typemap(freearg) const char *path { Py_XDECREF(keep$argnum); }
%typemap(in) const char * { if ($input == Py_None) $1 = NULL; else if (!($1 = ($1_ltype)flx_py_utf8($input))) SWIG_fail; }
%typemap(freearg) const char * ""
%typemap(in) char *text { SWIG_exception_fail(SWIG_TypeError, "texts are freed by the glue"); }

%define FLX_LIST(WHAT, PATTERN...)
%typemap(in) (PATTERN) (PyObject *keep = NULL) { if (flx_py_list($input, WHAT, (void **)&$1, &$2, &keep)) SWIG_fail; }
%typemap(freearg) (PATTERN) { free((void *)$1); Py_XDECREF(keep$argnum); }
%typemap(argout) (PATTERN) ""
%enddef
FLX_LIST('h', const flx_ndarray *arrays, int32_t narrays)
FLX_LIST('i', const int64_t *dims, int32_t ndim)
FLX_LIST('d', const double *scalars, int32_t nscalars)
FLX_LIST('s', const char *const *names, int32_t nnames)
%typemap(in) (const char *const *keys, const char *const *values, int32_t npairs) (PyObject *ks = NULL, PyObject *vs = NULL) {
  PyObject *k = PyObject_HasAttrString($input, "keys") ? PyMapping_Keys($input) : NULL, *v = k ? PyMapping_Values($input) : NULL;
  int bad = !v || flx_py_list(k, 's', (void **)&$1, &$3, &ks) || flx_py_list(v, 's', (void **)&$2, &$3, &vs);
  Py_XDECREF(k); Py_XDECREF(v);
  if (!k && !PyErr_Occurred()) PyErr_Format(PyExc_TypeError, "options must be a mapping from texts to texts, given %s", Py_TYPE($input)->tp_name);
  if (bad) SWIG_fail;
}
%typemap(argout) (const char *const *keys, const char *const *values, int32_t npairs) ""
%typemap(freearg) (const char *const *keys, const char *const *values, int32_t npairs) { free((void *)$1); free((void *)$2); Py_XDECREF(ks$argnum); Py_XDECREF(vs$argnum); }
%typemap(in) (const void *data, int64_t nbytes) (Py_buffer view) { if (flx_py_memory($input, 0, &view, (void **)&$1, &$2)) SWIG_fail; }
%typemap(in) (void *buffer, int64_t buffer_nbytes) (Py_buffer view) { if (flx_py_memory($input, PyBUF_WRITABLE, &view, &$1, &$2)) SWIG_fail; }
%typemap(freearg) (const void *data, int64_t nbytes), (void *buffer, int64_t buffer_nbytes) { if ($1) PyBuffer_Release(&view$argnum); }

%typemap(in, numinputs=0) int32_t * (int32_t temp = 0), int64_t * (int64_t temp = 0), double * (double temp = 0) { $1 = &temp; }
FLX_WAIT_TYPEMAPS
%typemap(argout) int32_t *, int64_t * { $result = SWIG_Python_AppendOutput($result, PyLong_FromLongLong(*$1)); }
%typemap(argout) double * { $result = SWIG_Python_AppendOutput($result, PyFloat_FromDouble(*$1)); }
%typemap(in, numinputs=0) const char ** (const char *temp = NULL) { $1 = ($1_ltype)&temp; }
%typemap(in, numinputs=0) char ** (char *temp = NULL) { $1 = &temp; }
%typemap(argout) const char ** { $result = SWIG_Python_AppendOutput($result, flx_py_text(*$1)); }
%typemap(argout) char ** { $result = SWIG_Python_AppendOutput($result, flx_py_text(*$1)); flx_text_free(*$1); }
%typemap(in, numinputs=0) (char **out_bytes, int64_t *out_nbytes) (char *temp = NULL, int64_t n = 0) { $1 = &temp; $2 = &n; }
%typemap(argout) (char **out_bytes, int64_t *out_nbytes) { $result = SWIG_Python_AppendOutput($result, flx_py_bytes(*$1, *$2)); flx_text_free(*$1); }
%typemap(in, numinputs=0) (int64_t *out_dims, int32_t capacity, int32_t *out_ndim) (int64_t temp[FLX_MAX_NDIM], int32_t n = 0) { $1 = temp; $2 = FLX_MAX_NDIM; $3 = &n; }
%typemap(argout) (int64_t *out_dims, int32_t capacity, int32_t *out_ndim) { $result = SWIG_Python_AppendOutput($result, flx_py_tuple($1, *$3, 'i')); }
%typemap(in, numinputs=0) (flx_ndarray *out_arrays, int32_t capacity, int32_t *out_narrays) (int32_t n = 0) { $1 = flx_room(); $2 = FLX_MAX_COUNT; $3 = &n; }
%typemap(freearg) (flx_ndarray *out_arrays, int32_t capacity, int32_t *out_narrays) { flx_room_back($1); }
%typemap(argout) (flx_ndarray *out_arrays, int32_t capacity, int32_t *out_narrays) { $result = SWIG_Python_AppendOutput($result, flx_py_tuple($1, *$3, 'h')); }
