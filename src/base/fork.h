// SPDX-License-Identifier: Apache-2.0
// What rooms do around fork(). One pthread_atfork for the library, so that the order is ours: before a fork the stages run in this order (first the
// host's threads leave the library and the engine comes to rest, then locks are taken, the innermost last), afterwards in the opposite one, in parent and child.
#pragma once

namespace flx {

enum class ForkStage : int { kHost, kEngine, kLibraries, kStreams, kPool, kStorage, kLog, kConfig, kCount };
struct ForkHooks { void (*prepare)(); void (*parent)(); void (*child)(); };  // any may be null; none may throw
void AddForkHooks(ForkStage stage, ForkHooks hooks);  // up to eight a stage, for ever
int ForkCount();  // how many forks lie between the first process that used the library and this one: threads of an older count are gone

}  // namespace flx
