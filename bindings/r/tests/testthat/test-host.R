# SPDX-License-Identifier: Apache-2.0
# What belongs to the host is the same after library(flexor) and after a fit: BLAS threads, locale, floating-point mode, signals, output, options, the random stream.
# And a library that is missing or too old is an error that says so.
helper_code <- '
#include <fenv.h>
#include <dlfcn.h>
void settings(int *out) {
  int (*threads)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "openblas_get_num_threads");
  unsigned mxcsr = 0;
#ifdef __x86_64__
  mxcsr = __builtin_ia32_stmxcsr() & ~0x3fu;
#endif
  out[0] = fegetround();
  out[1] = (int)mxcsr;
  out[2] = threads ? threads() : -1;
}
void unusual(int *out) {
  void (*set)(int) = (void (*)(int))dlsym(RTLD_DEFAULT, "openblas_set_num_threads");
  if (set) set(2);
  out[0] = fesetround(FE_UPWARD);
}
'
settings_program <- '
invisible(matrix(1, 64, 64) %*% matrix(1, 64, 64))
dyn.load(Sys.getenv("HELPER"))
invisible(.C("unusual", 0L))
Sys.setlocale("LC_ALL", "C.UTF-8")
set.seed(7)
now <- function() {
  status <- grep("^Sig(Blk|Ign|Cgt)", readLines("/proc/self/status"), value = TRUE)
  list(machine = .C("settings", integer(3))[[1]], locale = Sys.getlocale(), signals = status, environment = Sys.getenv(), folder = getwd(), options = options()[order(names(options()))],
       stream = .Random.seed, devices = grDevices::dev.list(), sinks = sink.number())
}
first <- now()
library(flexor)
loaded <- now()
flx <- asNamespace("flexor")
invisible(finish(task(rows = 512, epochs = "2")))
invisible(tryCatch(nd_array(1:3) + nd_array(1:4), flexor_shape_error = function(e) NULL))
fitted <- now()
saveRDS(list(first = first, loaded = loaded, fitted = fitted), Sys.getenv("RESULT"))
'

test_that("loading and fitting change nothing of the host", {
  compiler <- Sys.which("cc")
  skip_if(compiler == "", "there is no C compiler")
  skip_if_not(file.exists("/proc/self/status"), "there is no /proc")
  folder <- tempfile("host")
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  writeLines(helper_code, file.path(folder, "helper.c"))
  stopifnot(system2(compiler, c("-shared", "-fPIC", "-o", file.path(folder, "helper.so"), file.path(folder, "helper.c"), "-lm")) == 0)
  functions <- sub("library\\(flexor\\)\nflx <- asNamespace\\(\"flexor\"\\)", "", fit_program)
  done <- program(functions, settings_program,
    environment = c(paste0("HELPER=", file.path(folder, "helper.so")), paste0("RESULT=", file.path(folder, "result.rds"))))
  expect_equal(done$status, 0L, info = paste(done$out, collapse = "\n"))
  expect_equal(grep("LC_|^\\[1\\]", done$out, invert = TRUE, value = TRUE), character()) # nothing but what the program itself prints
  result <- readRDS(file.path(folder, "result.rds"))
  expect_equal(result$first$machine[1], 2048L) # the mode was unusual indeed
  for (what in names(result$first)) {
    expect_identical(result$loaded[[what]], result$first[[what]], label = paste(what, "after loading"))
    if (what != "stream") expect_identical(result$fitted[[what]], result$first[[what]], label = paste(what, "after a fit"))
  }
})

# The installed package, copied to a library of its own.
copied <- function() {
  folder <- tempfile("library")
  dir.create(folder)
  file.copy(find.package("flexor"), folder, recursive = TRUE)
  folder
}

test_that("a missing library is told", {
  folder <- copied()
  on.exit(unlink(folder, recursive = TRUE))
  library_file <- Sys.glob(file.path(folder, "flexor", "libs", "libflexor.so.*"))
  skip_if(!length(library_file), "the library does not lie in the package")
  unlink(library_file)
  done <- program("library(flexor)", packages = folder)
  expect_true(done$status != 0L)
  expect_match(paste(done$out, collapse = " "), "libflexor.so", fixed = TRUE)
})

test_that("a library that is too old is told", {
  compiler <- Sys.which("cc")
  skip_if(compiler == "", "there is no C compiler")
  folder <- tempfile("older")
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  writeLines(c("int flx_abi_require(int v) { return 8; }",
    'const char *flx_last_error(void) { return "[flx_abi_require] this program needs ABI version 9 of the library, which has 3."; }'), file.path(folder, "older.c"))
  stopifnot(system2(compiler, c("-shared", "-fPIC", "-o", file.path(folder, "older.so"), file.path(folder, "older.c"))) == 0)
  done <- program("library(flexor)", environment = paste0("LD_PRELOAD=", file.path(folder, "older.so")))
  expect_true(done$status != 0L)
  expect_match(paste(done$out, collapse = " "), "needs ABI version 9", fixed = TRUE)
})
