# SPDX-License-Identifier: Apache-2.0
library(testthat)
library(flexor)
test_check("flexor")
