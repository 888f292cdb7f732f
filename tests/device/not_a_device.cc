// SPDX-License-Identifier: Apache-2.0
// A library that is no device module: loading it must say so.
extern "C" __attribute__((visibility("default"))) int flx_something_else() { return 0; }
