# SPDX-License-Identifier: Apache-2.0
# R runs this to install src/: the package's library, and libflexor beside it under the name by which it is looked for.
to <- file.path(R_PACKAGE_DIR, paste0("libs", R_ARCH))
dir.create(to, recursive = TRUE, showWarnings = FALSE)
file.copy(paste0("flexor", SHLIB_EXT), to, overwrite = TRUE)
lib <- sub('.*-L"([^"]*)".*', "\\1", grep("^PKG_LIBS", readLines("Makevars"), value = TRUE))
soname <- Sys.glob(file.path(lib, "libflexor.so.[0-9]"))
if (!length(soname)) stop("no libflexor.so.N in ", lib)
file.copy(soname[[1]], to, overwrite = TRUE)
