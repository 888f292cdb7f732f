# SPDX-License-Identifier: Apache-2.0
# The C ABI for R: one function each, with the ABI's names, over SWIG's C glue. Results are returned, several of them as a list; a handle is an external pointer,
# freed when R's collector finds it unused; a failed call is an error of class flexor_error, with fields status and kind.
# The symbols R_swig_* are the package's (useDynLib(flexor, .registration = TRUE)).
