// SPDX-License-Identifier: Apache-2.0
// flexor/flexor.hpp: the C++ API of Flexor: C++17, header-only over flexor/c_api.h. Link libflexor; nothing else is needed.
//
//   base.hpp      errors as exceptions, shapes, dtypes, options
//   autograd.hpp  recording; ndarray.hpp  arrays; call.hpp  operators by name, signs, gradients
//   model.hpp     layers, parameters, models; train.hpp  optimizers, metrics, batches, fitting
//   symbol.hpp    networks as graphs, MXNet's model files; executor.hpp  graphs bound to arrays
//   store.hpp     arrays by key, of this process or of a job of several
//   profiler.hpp  what ran when, as a trace and a table
//
// Two more are made from the registry when the library is built, and are included on their own:
//   op.hpp        each operator as a typed function, with its documentation
//   nn.hpp        each layer, loss, optimizer, schedule, initializer, metric and iterator as a class
#ifndef FLEXOR_FLEXOR_HPP_
#define FLEXOR_FLEXOR_HPP_
#include "flexor/autograd.hpp"
#include "flexor/base.hpp"
#include "flexor/call.hpp"
#include "flexor/executor.hpp"
#include "flexor/hybrid.hpp"
#include "flexor/model.hpp"
#include "flexor/ndarray.hpp"
#include "flexor/profiler.hpp"
#include "flexor/store.hpp"
#include "flexor/symbol.hpp"
#include "flexor/train.hpp"
#endif  // FLEXOR_FLEXOR_HPP_
