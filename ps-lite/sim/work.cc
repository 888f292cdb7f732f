// SPDX-License-Identifier: Apache-2.0
// World's part that does what nodes give out: sums, updates, files.
#include <algorithm>

#include "sim/checker.h"
#include "sim/world.h"

namespace ps::sim {
namespace {
std::string_view View(const Buffer& b) { return {reinterpret_cast<const char*>(b.data()), b.size()}; }
uint32_t KeyOf(const Slice& slice) { return static_cast<uint32_t>(slice.key->meta.empty() ? 0 : slice.key->meta[0]); }
}  // namespace

void World::give_work(Process& p, const Work& work) {
  const uint64_t slot = works_.size();
  works_.push_back(work);
  Time at = now_ + work_rng_.skewed(2 * kMicrosecond, 3 * kMillisecond);
  const std::string* file = nullptr;
  if (const auto* f = std::get_if<ReadFile>(&work.request)) file = &f->name;
  if (const auto* f = std::get_if<AppendFile>(&work.request)) file = &f->name;
  if (const auto* f = std::get_if<WriteFile>(&work.request)) file = &f->name;
  if (const auto* f = std::get_if<RemoveFile>(&work.request)) file = &f->name;
  if (file != nullptr) {
    Time& busy = p.file_busy[*file];
    at = busy = std::max(busy, now_) + work_rng_.skewed(50 * kMicrosecond, work_rng_.chance(50) ? 2 * kSecond : 30 * kMillisecond);
  } else if (std::holds_alternative<ConfigureWork>(work.request)) {
    at = p.setting_done = std::max(p.last_work, at) + 1;
  } else {
    at = std::max(p.setting_done + 1, at);
    p.last_work = std::max(p.last_work, at);
  }
  post(EventKind::kWork, at, p.number, p.life, slot);
}

void World::do_work(Process& p, uint64_t slot) {
  const Work work = std::move(works_[slot]);
  WorkDone done{work.ticket, {}, {}};
  bool died = false;
  if (const auto* r = std::get_if<ReadFile>(&work.request)) {
    const std::map<std::string, std::string>& files = disk_of(p, r->name).files;
    const auto file = files.find(r->name);
    if (file != files.end()) done.results.push_back(Buffer::Own(file->second));
  } else if (const auto* a = std::get_if<AppendFile>(&work.request)) {
    done.status = write(p, a->name, a->bytes.text(), true, &died);
  } else if (const auto* w = std::get_if<WriteFile>(&work.request)) {
    std::string bytes;
    for (const Buffer& part : w->parts) bytes += part.text();
    done.status = write(p, w->name, bytes, false, &died);
  } else if (const auto* gone = std::get_if<RemoveFile>(&work.request)) {
    disk_of(p, gone->name).files.erase(gone->name);
  } else {
    done = reduce(p, work);
  }
  if (died) {
    const Time after = fault_rng_.skewed(10 * kMillisecond, 8 * kSecond);
    kill(p.number, false);
    return post(EventKind::kStart, now_ + after, p.number, p.life);
  }
  if (!failed()) accept_input(p, std::move(done));
}

WorkDone World::reduce(const Process& p, const Work& work) {
  WorkDone done{work.ticket, {}, {}};
  if (const auto* r = std::get_if<ReduceWork>(&work.request)) {
    const uint32_t key = KeyOf(r->slice);
    std::vector<Part> parts;
    std::vector<uint32_t> values;
    for (const Contribution& c : r->in_rank_order) {
      values.push_back(values_.find(View(c.bytes), key));
      if (values.back() == 0) fail(2, p.name() + " sums bytes that no worker pushed for key " + r->slice.key->name + ", rank " + std::to_string(c.rank));
      parts.push_back({0, c.rank, static_cast<uint32_t>(c.samples)});
    }
    if (failed()) return done;
    const uint32_t sum = values_.sum(key, std::move(parts), values);
    if (sum == 0) fail(2, p.name() + " sums arrays that do not belong together, key " + r->slice.key->name);
    else done.results.push_back(Buffer::Own(values_.bytes(sum)));
  } else if (const auto* a = std::get_if<ApplyWork>(&work.request)) {
    const uint32_t key = KeyOf(a->slice);
    const uint32_t base = values_.find(View(a->stored.value), key), sum = values_.find(View(a->reduced), key);
    const uint32_t next = base == 0 || sum == 0 ? 0 : values_.apply(base, sum);
    // The optimizer's state is a function of the value it stands beside: a copy that has one without the other is found.
    if (next == 0) {
      fail(2, p.name() + " applies " + values_.text(sum) + " to " + values_.text(base));
    } else if (values_.value(base).kind == Kind::kStored && View(a->stored.state) != "state of " + values_.bytes(base)) {
      fail(2, p.name() + " has another state than belongs to its value: " + values_.text(base));
    } else {
      done.results.push_back(Buffer::Own(values_.bytes(next)));
      done.results.push_back(Buffer::Own("state of " + values_.bytes(next)));
    }
  }
  if (const auto* c = std::get_if<ChecksumWork>(&work.request)) done.results.push_back(Checksums(c->parts));
  return done;
}

// Parts of checkpoints may lie where every server sees them.
Disk& World::disk_of(Process& p, const std::string& name) { return scenario_.shared_cuts && name.compare(0, 4, "cut.") == 0 ? common_ : p.disk; }

Status World::write(Process& p, const std::string& name, const std::string& bytes, bool append, bool* died) {
  ++p.disk.writes;
  if (p.disk.full) return {Code::kFile, name + ": no space is left on the device"};
  size_t kept = bytes.size();
  if (p.disk.crash_armed) {
    p.disk.crash_armed = false;
    *died = true;
    if (p.disk.crash == CrashPoint::kBefore) kept = 0;
    if (p.disk.crash == CrashPoint::kMiddle) kept = append ? fault_rng_.below(bytes.size()) : 0;  // a new file is renamed at the end, or never was there
    note(p.name() + " crashes at a write of " + name + ", " + std::to_string(kept) + " of " + std::to_string(bytes.size()) + " bytes stay");
    if (kept == 0) return {};
  }
  Disk& disk = disk_of(p, name);
  if (append) disk.files[name].append(bytes, 0, kept);
  else disk.files[name] = bytes;
  checker_->written(p, name);
  return {};
}

}  // namespace ps::sim
