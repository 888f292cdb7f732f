// SPDX-License-Identifier: Apache-2.0
// The keys of a whole job, as files of a folder: scheduler.key, server-<rank>.key, worker-<rank>.key and allow, the scheduler's list.
#pragma once
#include <string>

namespace ps {

// The folder is made if need be, for its owner alone; what is there already is an error. With servers = 0 each worker's key may be a server's, too.
// Throws Error.
void WriteJobKeys(const std::string& folder, int workers, int servers);

}  // namespace ps
