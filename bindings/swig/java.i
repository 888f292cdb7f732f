// SPDX-License-Identifier: Apache-2.0
// Java, for Scala: a handle is an object that frees itself (java/Handle.java); a result is put in the first place of an array given for it; a failed call throws
// FlexorException, by its status. Memory is a direct ByteBuffer, options are a map. A call that may wait ends early, as not ready, when its thread is interrupted.
%{
static void flx_j_set(JNIEnv *e, jobjectArray out, jobject v) { if (out && v) (*e)->SetObjectArrayElement(e, out, 0, v); }
static jbyteArray flx_j_bytes(JNIEnv *e, const char *t, int64_t n) {
  jbyteArray b = t && n <= INT_MAX ? (*e)->NewByteArray(e, (jsize)n) : NULL; /* more than Java's arrays hold: null */
  if (b) (*e)->SetByteArrayRegion(e, b, 0, (jsize)n, (const jbyte *)t);
  return b;
}
static jbyteArray flx_j_text(JNIEnv *e, const char *t) { return t ? flx_j_bytes(e, t, (int64_t)strlen(t)) : NULL; }
static void *flx_j_copy(JNIEnv *e, jbyteArray a, jsize *n) { /* the bytes of a Java array, freed by free */
  void *p = a ? malloc((size_t)(*n = (*e)->GetArrayLength(e, a)) + 1) : NULL;
  if (p) (*e)->GetByteArrayRegion(e, a, 0, *n, p);
  return p;
}
/* Texts that follow each other, each with its zero byte: pointers to the `part`-th of every `step`, in front of a copy of the bytes. */
static const char **flx_j_texts(JNIEnv *e, jbyteArray a, int part, int step, int32_t *n) {
  jsize size = a ? (*e)->GetArrayLength(e, a) : 0, i, count = 0, k = 0; /* null: none */
  const char **out;
  char *bytes = flx_j_copy(e, a, &size), *to;
  for (i = 0; bytes && i < size; ++i) count += !bytes[i];
  out = bytes ? malloc((size_t)(count / step) * sizeof *out + (size_t)size + sizeof *out) : NULL;
  *n = out ? count / step : 0;
  if (out) {
    to = memcpy(out + *n, bytes, (size_t)size);
    for (i = 0; i < size; i += (jsize)strlen(to + i) + 1, ++k) if (k % step == part && k / step < *n) out[k / step] = to + i;
  }
  free(bytes);
  return out;
}
static jlongArray flx_j_longs(JNIEnv *e, const void *p, int32_t n) {
  jlongArray a = (*e)->NewLongArray(e, n);
  if (a) (*e)->SetLongArrayRegion(e, a, 0, n, p);
  return a;
}
static int flx_j_interrupted(JNIEnv *e) {
  jclass c = (*e)->FindClass(e, "org/flexor/Glue");
  int yes = (*e)->CallStaticBooleanMethod(e, c, (*e)->GetStaticMethodID(e, c, "interrupted", "()Z"));
  (*e)->DeleteLocalRef(e, c);
  return (*e)->ExceptionCheck(e) || yes;
}
static void flx_j_raise(JNIEnv *e, flx_status status) {
  static const char *const names[] = {"operator", "node", "origin", "hint", "file", "offset"};
  jclass c = (*e)->FindClass(e, "org/flexor/FlexorException"), bytes = c ? (*e)->FindClass(e, "[B") : NULL;
  jobjectArray fields = bytes ? (*e)->NewObjectArray(e, 6, bytes, NULL) : NULL;
  jmethodID make = fields ? (*e)->GetStaticMethodID(e, c, "make", "(I[B[B[[B)Lorg/flexor/FlexorException;") : NULL;
  jobject x;
  int i;
  for (i = 0; make && i < 6; ++i) {
    jbyteArray text = flx_j_text(e, flx_last_error_field(names[i]));
    if (!text) return; /* no memory: Java's own exception is there */
    (*e)->SetObjectArrayElement(e, fields, i, text);
    (*e)->DeleteLocalRef(e, text);
    if ((*e)->ExceptionCheck(e)) return;
  }
  x = make ? (*e)->CallStaticObjectMethod(e, c, make, (jint)status, flx_j_text(e, flx_last_error_field("kind")), flx_j_text(e, flx_last_error()), fields) : NULL;
  if (!(*e)->ExceptionCheck(e) && x) (*e)->Throw(e, (jthrowable)x);
}
%}
%exception {
  struct flx_wait wait = flx_wait_take();
  for (;;) {
    $action
    if (!flx_wait_more(&wait) || flx_j_interrupted(jenv)) break;
    flx_wait_again(&wait);
  }
}
%typemap(jni) flx_status "void"
%typemap(jtype) flx_status "void"
%typemap(jstype) flx_status "void"
%typemap(javaout) flx_status { $jnicall; }
%typemap(out) flx_status { if ($1) flx_j_raise(jenv, $1); }

// JNI's type, the type in flexorJNI, the type for users, and how one becomes the other
%define FLX_TYPES(JNI, J, JS, CONVERT, PATTERN...)
%typemap(jni) PATTERN "JNI"
%typemap(jtype) PATTERN "J"
%typemap(jstype) PATTERN "JS"
%typemap(javain) PATTERN CONVERT
%enddef
%define FLX_RESULT(JNI, J, JS, RAW, PATTERN...)
FLX_TYPES(JNI, J, JS, "", PATTERN)
%typemap(javain, pre="    J raw_$javainput = RAW;", post="      Glue.put(raw_$javainput, $javainput);", pgcppname="raw_$javainput") PATTERN "raw_$javainput"
%enddef
FLX_TYPES(jlong, long, long, "$javainput", int64_t)
%typemap(in) int64_t { $1 = $input; }
FLX_TYPES(jint, int, int, "$javainput", int32_t)
%typemap(in) int32_t { $1 = $input; }
%define FLX_HANDLE(PATTERN...)
FLX_TYPES(jlong, long, Handle, "", PATTERN)
%typemap(javain, post="      java.lang.ref.Reference.reachabilityFence($javainput);") PATTERN "Glue.raw($javainput)"
%typemap(in) PATTERN { $1 = ($1_ltype)(uintptr_t)$input; }
%enddef
%define FLX_KIND(K)
FLX_HANDLE(flx_##K)
FLX_RESULT(jlongArray, long[], Handle[], new long[1], flx_##K *)
%typemap(in) flx_##K * (flx_##K temp = NULL) { $1 = &temp; }
%typemap(argout) flx_##K * { if (!result) { jlong h = (jlong)(uintptr_t)*$1; (*jenv)->SetLongArrayRegion(jenv, $input, 0, 1, &h); } }
%enddef
FLX_HANDLE(void *handle)
FLX_TYPES(jbyteArray, byte[], String, "Glue.utf8($javainput)", const char *)
%typemap(in) const char * { jsize size; $1 = flx_j_copy(jenv, $input, &size); }
%typemap(freearg) const char * { free((void *)$1); }
%typemap(out) const char * { $result = flx_j_text(jenv, $1); }
%typemap(javaout) const char * { return Glue.text($jnicall); }
FLX_TYPES(jbyteArray, byte[], Void, "null", char *text)
%typemap(in) char *text { $1 = NULL; /* the glue has freed what it gave */ }
%typemap(freearg) char *text ""

%define FLX_NUMBERS(JNI, J, JS, CONVERT, LENGTH_AND_REGION, PATTERN...)
FLX_TYPES(JNI, J, JS, CONVERT, (PATTERN))
%typemap(in) (PATTERN) {
  $2 = $input ? (*jenv)->GetArrayLength(jenv, $input) : 0;
  $1 = malloc(8 * (size_t)$2 + 8);
  if ($1 && $input) (*jenv)->LENGTH_AND_REGION(jenv, $input, 0, $2, (void *)$1);
}
%typemap(freearg) (PATTERN) { free((void *)$1); }
%typemap(argout) (PATTERN) ""
%enddef
FLX_NUMBERS(jlongArray, long[], Handle[], "", GetLongArrayRegion, const flx_ndarray *arrays, int32_t narrays)
%typemap(javain, post="      java.lang.ref.Reference.reachabilityFence($javainput);") (const flx_ndarray *arrays, int32_t narrays) "Glue.raw($javainput)"
FLX_NUMBERS(jlongArray, long[], long[], "$javainput", GetLongArrayRegion, const int64_t *dims, int32_t ndim)
FLX_NUMBERS(jdoubleArray, double[], double[], "$javainput", GetDoubleArrayRegion, const double *scalars, int32_t nscalars)
FLX_TYPES(jbyteArray, byte[], String[], "Glue.utf8($javainput)", (const char *const *names, int32_t nnames))
%typemap(in) (const char *const *names, int32_t nnames) { $1 = ($1_ltype)flx_j_texts(jenv, $input, 0, 1, &$2); }
%typemap(freearg) (const char *const *names, int32_t nnames) { free((void *)$1); }
%typemap(argout) (const char *const *names, int32_t nnames) ""
FLX_TYPES(jbyteArray, byte[], , "Glue.utf8($javainput)", (const char *const *keys, const char *const *values, int32_t npairs))
%typemap(jstype) (const char *const *keys, const char *const *values, int32_t npairs) "java.util.Map<String, String>"
%typemap(in) (const char *const *keys, const char *const *values, int32_t npairs) {
  $1 = ($1_ltype)flx_j_texts(jenv, $input, 0, 2, &$3);
  $2 = ($2_ltype)flx_j_texts(jenv, $input, 1, 2, &$3);
}
%typemap(freearg) (const char *const *keys, const char *const *values, int32_t npairs) { free((void *)$1); free((void *)$2); }
%typemap(argout) (const char *const *keys, const char *const *values, int32_t npairs) ""
FLX_TYPES(jobject, java.nio.ByteBuffer, java.nio.ByteBuffer, "Glue.direct($javainput)", (const void *data, int64_t nbytes))
%typemap(in) (const void *data, int64_t nbytes) { $1 = (*jenv)->GetDirectBufferAddress(jenv, $input); $2 = (*jenv)->GetDirectBufferCapacity(jenv, $input); }
FLX_TYPES(jobject, java.nio.ByteBuffer, java.nio.ByteBuffer, "Glue.writable($javainput)", (void *buffer, int64_t buffer_nbytes))
%typemap(in) (void *buffer, int64_t buffer_nbytes) { $1 = (*jenv)->GetDirectBufferAddress(jenv, $input); $2 = (*jenv)->GetDirectBufferCapacity(jenv, $input); }

%define FLX_OUT(JNI, J, T, SETTER, JT)
FLX_TYPES(JNI, J, J, "$javainput", T *)
%typemap(in) T * (T temp = 0) { $1 = &temp; }
%typemap(argout) T * { if (!result && $input) { JT v = (JT)*$1; (*jenv)->SETTER(jenv, $input, 0, 1, &v); } }
%enddef
FLX_OUT(jintArray, int[], int32_t, SetIntArrayRegion, jint)
FLX_OUT(jlongArray, long[], int64_t, SetLongArrayRegion, jlong)
FLX_OUT(jdoubleArray, double[], double, SetDoubleArrayRegion, jdouble)
%typemap(check) int64_t timeout_ms { flx_wait_begin(&$1); }
%typemap(in) int32_t *out_ready (int32_t temp = INT_MIN) { $1 = &temp; flx_waiting.answer = &temp; flx_waiting.pending = 0; }
%typemap(in) int32_t *out_event (int32_t temp = INT_MIN) { $1 = &temp; flx_waiting.answer = &temp; flx_waiting.pending = FLX_PENDING; }
FLX_RESULT(jobjectArray, byte[][], String[], new byte[1][], const char **)
%typemap(in) const char ** (const char *temp = NULL) { $1 = ($1_ltype)&temp; }
%typemap(argout) const char ** { if (!result) flx_j_set(jenv, $input, flx_j_text(jenv, *$1)); }
FLX_RESULT(jobjectArray, byte[][], String[], new byte[1][], char **)
%typemap(in) char ** (char *temp = NULL) { $1 = &temp; }
%typemap(argout) char ** { if (!result) { flx_j_set(jenv, $input, flx_j_text(jenv, *$1)); } flx_text_free(*$1); }
FLX_TYPES(jobjectArray, byte[][], byte[][], "$javainput", (char **out_bytes, int64_t *out_nbytes))
%typemap(in) (char **out_bytes, int64_t *out_nbytes) (char *temp = NULL, int64_t n = 0) { $1 = &temp; $2 = &n; }
%typemap(argout) (char **out_bytes, int64_t *out_nbytes) { if (!result) { flx_j_set(jenv, $input, flx_j_bytes(jenv, *$1, *$2)); } flx_text_free(*$1); }
FLX_TYPES(jobjectArray, long[][], long[][], "$javainput", (int64_t *out_dims, int32_t capacity, int32_t *out_ndim))
%typemap(in) (int64_t *out_dims, int32_t capacity, int32_t *out_ndim) (int64_t temp[FLX_MAX_NDIM], int32_t n = 0) { $1 = temp; $2 = FLX_MAX_NDIM; $3 = &n; }
%typemap(argout) (int64_t *out_dims, int32_t capacity, int32_t *out_ndim) { if (!result) flx_j_set(jenv, $input, flx_j_longs(jenv, $1, *$3)); }
FLX_RESULT(jobjectArray, long[][], Handle[][], new long[1][], (flx_ndarray *out_arrays, int32_t capacity, int32_t *out_narrays))
%typemap(in) (flx_ndarray *out_arrays, int32_t capacity, int32_t *out_narrays) (int32_t n = 0) { $1 = flx_room(); $2 = FLX_MAX_COUNT; $3 = &n; }
%typemap(freearg) (flx_ndarray *out_arrays, int32_t capacity, int32_t *out_narrays) { flx_room_back($1); }
%typemap(argout) (flx_ndarray *out_arrays, int32_t capacity, int32_t *out_narrays) { if (!result) flx_j_set(jenv, $input, flx_j_longs(jenv, $1, *$3)); }
%pragma(java) jniclasscode=%{ static { NativeLibrary.load(); flx_abi_require(flexorConstants.FLX_ABI_VERSION); } %}
%javaconst(1);
