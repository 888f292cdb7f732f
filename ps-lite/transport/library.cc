// SPDX-License-Identifier: Apache-2.0
// libflexor_ps is made of ps_core and ps_transport; a library wants a source of its own.
#include "ps/worker.h"
